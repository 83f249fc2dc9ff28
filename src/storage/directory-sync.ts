import { mkdir, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { systemCode } from './storage-errors.ts'

/** Makes names durable: a new name survives a power cut only after the directory that holds it is synced. */
export interface DirectorySync {
  /**
   * Resolves after an fsync of the directory that began after this call. Calls that come while one is running share
   * the next one, so a thousand renames into one directory cost a few syncs.
   */
  sync(directory: string): Promise<void>
  /** Makes the directory and its parents as far as they are missing, durably. */
  ensure(directory: string): Promise<void>
  /** Makes `ensure` look again at a directory that has vanished, and at those above it. */
  forget(directory: string): void
}

interface Rounds {
  running: Promise<void>
  next: Promise<void> | null
}

/** `root` must exist; `ensure` works below it. */
export function createDirectorySync(root: string): DirectorySync {
  const rounds = new Map<string, Rounds>()
  const durable = new Set<string>([root])

  function start(directory: string): Promise<void> {
    const round: Rounds = { running: syncDirectory(directory), next: null }
    rounds.set(directory, round)
    const finish = () => {
      if (rounds.get(directory) === round && round.next === null) rounds.delete(directory)
    }
    round.running.then(finish, finish)
    return round.running
  }

  function sync(directory: string): Promise<void> {
    const round = rounds.get(directory)
    if (round === undefined) return start(directory)
    const restart = () => start(directory)
    round.next ??= round.running.then(restart, restart)
    return round.next
  }

  async function ensure(directory: string): Promise<void> {
    if (durable.has(directory)) return
    const parent = dirname(directory)
    if (parent === directory) return
    await ensure(parent)
    await mkdir(directory, { mode: 0o700 }).catch(unlessExists)
    // also when someone else made it: that one may not have synced the parent yet
    await sync(parent)
    durable.add(directory)
  }

  function forget(directory: string): void {
    for (let path = directory; path !== root && path !== dirname(path); path = dirname(path)) durable.delete(path)
  }

  return { sync, ensure, forget }
}

/** Makes a directory with all parents, syncing the parent of each one that was missing. Returns the absolute path. */
export async function makeDurableDirectory(directory: string): Promise<string> {
  const path = resolve(directory)
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return path
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made))
  return path
}

async function syncDirectory(directory: string): Promise<void> {
  // Windows can neither open nor sync a directory; it writes names through by itself
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function unlessExists(error: unknown): void {
  if (systemCode(error) !== 'EEXIST') throw error
}
