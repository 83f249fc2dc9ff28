import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * A folder for a worker of this process below the data directory, on the file system of the local store. Folders that
 * a killed worker left are removed first; they are known by the process id in their names.
 */
export async function workerFolder(dataDir: string): Promise<string> {
  const parent = join(dataDir, 'tmp')
  await mkdir(parent, { recursive: true, mode: 0o700 })
  for (const name of await readdir(parent)) {
    const pid = Number(/^worker-(\d+)-/.exec(name)?.[1])
    if (pid && !isAlive(pid)) await rm(join(parent, name), { recursive: true, force: true })
  }
  return mkdtemp(join(parent, `worker-${process.pid}-`))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
