/** Exit codes of a start that failed: sysexits' EX_TEMPFAIL for "in use", and two of the program's own. */
export const START_EXIT_CODES = { inUse: 75, noSpace: 7, other: 6 } as const

/** The embedded server could not be started. `message` is one sentence, `action` says what the person can do. */
export class EmbeddedStartError extends Error {
  override readonly name = 'EmbeddedStartError'
  readonly exitCode: number
  readonly action: string

  constructor(exitCode: number, message: string, action: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.exitCode = exitCode
    this.action = action
  }
}

const CHOOSE = 'choose another directory with --data'

export function noSpaceError(dataDir: string, cause?: unknown): EmbeddedStartError {
  const message = `There is no space left for the database in ${dataDir}.`
  return new EmbeddedStartError(START_EXIT_CODES.noSpace, message, `Free some space, or ${CHOOSE}.`, cause)
}

export function refusedError(message: string, action: string, cause?: unknown): EmbeddedStartError {
  return new EmbeddedStartError(START_EXIT_CODES.other, message, action, cause)
}

/** Reads what Node threw while files of `dataDir` were touched as one clear line. */
export function toStartError(error: unknown, dataDir: string): EmbeddedStartError {
  if (error instanceof EmbeddedStartError) return error
  const { code, path = dataDir, message } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') return noSpaceError(dataDir, error)
  if (code === 'EROFS')
    return refusedError(`${path} lies on a read-only file system.`, `Mount it for writing, or ${CHOOSE}.`, error)
  if (code === 'EACCES' || code === 'EPERM') {
    return refusedError(
      `There is no permission to write ${path}.`,
      `Give this user the right to write it, or ${CHOOSE}.`,
      error,
    )
  }
  if (code === 'ENOTDIR' || code === 'EEXIST')
    return refusedError(`${path} is not a directory.`, `Remove it, or ${CHOOSE}.`, error)
  return refusedError(
    `The database in ${dataDir} could not be started: ${message}.`,
    'See postgres.log in that directory.',
    error,
  )
}

/**
 * Reads what `initdb` or `postgres` wrote before it gave up. `text` is their stderr in the C locale,
 * so the words are those of strerror(3) and of PostgreSQL's untranslated messages.
 */
export function explainServerOutput(text: string, dataDir: string): EmbeddedStartError {
  if (/No space left on device|Disk quota exceeded/.test(text)) return noSpaceError(dataDir, text)
  const fatal = /(?:FATAL|PANIC|error|ERROR): +(.+)/.exec(text)?.[1] ?? text.trim().split('\n').at(-1) ?? ''
  if (/Read-only file system|Permission denied|wrong ownership/.test(text)) {
    return refusedError(
      `The database in ${dataDir} may not be written: ${fatal}.`,
      `Correct owner and mode, or ${CHOOSE}.`,
      text,
    )
  }
  const reason = fatal === '' ? 'it ended without a word' : fatal
  return refusedError(
    `The database in ${dataDir} did not start: ${reason}.`,
    `See postgres.log there, or ${CHOOSE}.`,
    text,
  )
}
