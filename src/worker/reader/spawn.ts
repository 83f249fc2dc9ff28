import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folders of one child: it may read `input`, and read and write `output`. */
export interface ReaderFolders {
  own: string
  input: string
  output: string
}

/** Starts the program of the child, with no rights but those on its folders. */
export function spawnReader({ own, input, output }: ReaderFolders, failpoints: string | undefined): ChildProcess {
  const program = fileURLToPath(new URL(`./child${extname(fileURLToPath(import.meta.url))}`, import.meta.url))
  const node = [
    '--permission',
    ...readable(program).map((path) => `--allow-fs-read=${path}`),
    `--allow-fs-read=${input}`,
    `--allow-fs-read=${output}`,
    `--allow-fs-write=${output}`,
    '--max-old-space-size=512',
    '--no-warnings',
    program,
    failpoints ?? '',
  ]
  const [command, ...args] = [...isolation(), process.execPath, ...node]
  // without PATH or anything else of ours in its environment
  return spawn(command!, args, { cwd: own, env: {}, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
}

/** What the child may read of the program: its sources and the packages. */
function readable(program: string): string[] {
  const source = dirname(dirname(dirname(program)))
  const packages = createRequire(program).resolve('zod')
  return [
    source,
    join(dirname(source), 'package.json'),
    packages.slice(0, packages.lastIndexOf('node_modules') + 'node_modules'.length),
  ]
}

let prefix: string[] | undefined

/**
 * Programs in front of the child, where the system has them: a network namespace of its own, so that there is nothing
 * to connect to, and a signal when the worker dies, so that a child that computes for ever does not outlive it.
 */
function isolation(): string[] {
  prefix ??= [...works('unshare', ['--user', '--net']), ...works('setpriv', ['--pdeathsig', 'KILL'])]
  return prefix
}

function works(program: string, options: string[]): string[] {
  const path = ['/usr/bin', '/bin'].map((folder) => join(folder, program)).find((file) => existsSync(file))
  if (!path || spawnSync(path, [...options, '/bin/true']).status !== 0) return []
  return [path, ...options]
}
