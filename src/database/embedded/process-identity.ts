import { readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { hostname } from 'node:os'
import { runCommand } from './run-command.ts'

/** What tells one process from every other one that ever had its number. */
export interface ProcessIdentity {
  pid: number
  /** Opaque: clock ticks since boot on Linux (field 22 of /proc/PID/stat, proc(5)), a date on macOS. */
  started: string
  bootId: string
  host: string
}

const linux = process.platform === 'linux'

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

/** When the process began, or null when no such process lives; a zombie does not live. */
export async function processStart(pid: number): Promise<string | null> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null
  if (!linux) return (await runCommand(['ps', '-p', String(pid), '-o', 'lstart='])).stdout.trim() || null
  const text = readOrNull(`/proc/${pid}/stat`)
  if (text === null) return null
  // the name in parentheses may hold spaces and parentheses itself: count from behind the last one
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null)
}

let knownBootId: string | undefined

/** A word that changes with every boot of the machine. */
export async function readBootId(): Promise<string> {
  knownBootId ??= linux
    ? (readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? '')
    : (await runCommand(['sysctl', '-n', 'kern.bootsessionuuid'])).stdout.trim()
  return knownBootId
}

export async function identifyProcess(pid: number): Promise<ProcessIdentity | null> {
  const started = await processStart(pid)
  return started === null ? null : { pid, started, bootId: await readBootId(), host: hostname() }
}

/** Whether exactly this process lives. False for one of another machine or boot: nothing can be proved there. */
export async function isProcessAlive(known: ProcessIdentity): Promise<boolean> {
  if (known.host !== hostname() || known.bootId !== (await readBootId())) return false
  return (await processStart(known.pid)) === known.started
}

/**
 * Whether `pid` is the postmaster of this database directory: it works inside it. Root in a container may not be
 * allowed to see where another user's process works (no CAP_SYS_PTRACE); then its words must name the directory.
 */
export async function worksInDirectory(pid: number, directory: string): Promise<boolean> {
  if (linux) {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(directory)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EACCES') return false
      return (readOrNull(`/proc/${pid}/cmdline`) ?? '').split('\0').includes(directory)
    }
  }
  const { stdout } = await runCommand(['ps', '-ww', '-p', String(pid), '-o', 'command='])
  return stdout.includes('postgres') && stdout.includes(directory)
}

/** The numbers of the direct children of a process. */
export async function childrenOf(pid: number): Promise<number[]> {
  if (linux) return (readOrNull(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ').filter(Boolean).map(Number)
  const { stdout } = await runCommand(['ps', '-A', '-o', 'pid=', '-o', 'ppid='])
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  return rows.filter((row) => row[1] === pid).map((row) => row[0] ?? 0)
}

/** Sends a signal; a process that is gone already is what the sender wanted. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
