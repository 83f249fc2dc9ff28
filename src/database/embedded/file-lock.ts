import { closeSync, constants, openSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { runCommand } from './run-command.ts'
import { refusedError } from './start-error.ts'

/**
 * Locks of flock(2): the kernel binds them to the open file, so they vanish with the last process that has it open,
 * however that ends, and they hold between containers that share the directory, which neither process numbers nor
 * abstract sockets do. Node has no call for it: on Linux flock(1) locks the descriptor that it inherits from us and
 * ends, and the lock stays with our copy; macOS locks while opening.
 */

/** O_EXLOCK of open(2) on macOS and the BSDs. */
const O_EXLOCK = 0x20

async function lockByOpening(path: string): Promise<number | null> {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK | O_EXLOCK, 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return null
    throw error
  }
}

async function lockByCommand(path: string): Promise<number | null> {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  const { code, stderr } = await runCommand(['flock', '-x', '-n', '3'], { inherit: descriptor })
  if (code === 0) return descriptor
  closeSync(descriptor)
  if (code === 1) return null
  throw refusedError(
    `${path} cannot be locked: ${stderr.trim()}.`,
    'Install flock (util-linux), or choose a local file system with --data.',
  )
}

/** Takes the lock and yields the open descriptor that holds it, or null when another process has it. */
export function tryLockFile(path: string): Promise<number | null> {
  return process.platform === 'linux' ? lockByCommand(path) : lockByOpening(path)
}

/** As `tryLockFile`, trying again for `milliseconds`. */
export async function lockFile(path: string, milliseconds: number): Promise<number | null> {
  const deadline = performance.now() + milliseconds
  for (;;) {
    const descriptor = await tryLockFile(path)
    if (descriptor !== null || performance.now() >= deadline) return descriptor
    await delay(20)
  }
}
