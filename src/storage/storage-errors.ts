import { SheafError } from '../core/index.ts'

/** The `code` of a system error such as ENOENT, else undefined. */
export function systemCode(error: unknown): string | undefined {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException
  return typeof syscall === 'string' ? code : undefined
}

/**
 * Reads a failed write as one of ours: full disk or quota is `no_space`, every other system error `write_failed`.
 * The detail names the system call and the errno, never a path. What is no system error is returned as it is.
 */
export function writeError(error: unknown): unknown {
  const code = systemCode(error)
  if (error instanceof SheafError || code === undefined) return error
  const detail = `${(error as NodeJS.ErrnoException).syscall}: ${code}`
  return new SheafError(code === 'ENOSPC' || code === 'EDQUOT' ? 'no_space' : 'write_failed', detail, { cause: error })
}

/** Reads a failed read as one of ours: a name that is not there is `blob_missing`, other system errors `unavailable`. */
export function readError(error: unknown): unknown {
  const code = systemCode(error)
  if (error instanceof SheafError || code === undefined) return error
  if (code === 'ENOENT' || code === 'ENOTDIR') return new SheafError('blob_missing', undefined, { cause: error })
  return new SheafError('unavailable', `${(error as NodeJS.ErrnoException).syscall}: ${code}`, { cause: error })
}
