/** What a command says when it ends badly: one sentence, one action, one exit code. */

/** The exit codes of every command. */
export const EXIT = {
  ok: 0,
  someFailed: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  limit: 5,
  unreachable: 6,
  noSpace: 7,
  inUse: 75,
  interrupted: 130,
} as const

export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  readonly exitCode: number
  readonly action: string | null

  constructor(exitCode: number, message: string, action: string | null = null, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.exitCode = exitCode
    this.action = action
  }
}

/** RFC 9457 problem details as the API sends them. */
export interface Problem {
  status: number
  code?: string
  detail?: string
  title?: string
  hint?: string
  requestId?: string
}

/** An answer that is not 2xx. */
export class ApiFailure extends CommandFailure {
  readonly status: number
  readonly code: string | null

  constructor(problem: Problem) {
    const sentence = problem.detail ?? problem.title ?? `The server answered with status ${problem.status}.`
    const trace = problem.status >= 500 && problem.requestId ? ` (request ${problem.requestId})` : ''
    super(
      exitCodeOf(problem),
      sentence + trace,
      problem.status === 401 ? 'Give a valid key with --key.' : (problem.hint ?? null),
    )
    this.status = problem.status
    this.code = problem.code ?? null
  }
}

function exitCodeOf({ status, code }: Problem): number {
  if (status === 507 || code === 'no_space') return EXIT.noSpace
  if (status === 404 || status === 410) return EXIT.notFound
  if (status === 401 || status === 403) return EXIT.notAllowed
  if (status === 402 || status === 413 || status === 429) return EXIT.limit
  if (status >= 500) return EXIT.unreachable
  return status === 400 || status === 415 || status === 422 ? EXIT.usage : EXIT.someFailed
}

/** Reads anything that was thrown as a failure with a sentence and an action. */
export function toFailure(error: unknown): CommandFailure {
  if (error instanceof CommandFailure) return error
  const { exitCode, action, name, code, message, definition } = error as {
    exitCode?: unknown
    action?: unknown
    name?: unknown
    code?: unknown
    message?: unknown
    definition?: { action: string; status: number }
  }
  const sentence = typeof message === 'string' && message !== '' ? message : String(error)
  if (typeof exitCode === 'number' && typeof action === 'string')
    return new CommandFailure(exitCode, sentence, action, error)
  if (name === 'SheafError' && definition)
    return new CommandFailure(exitCodeOf({ status: definition.status }), sentence, definition.action, error)
  if (name === 'NewerSchemaError') return new CommandFailure(EXIT.unreachable, sentence, 'Update Sheaf.', error)
  return typeof code === 'string' ? systemFailure(code, error as NodeJS.ErrnoException) : unforeseen(sentence, error)
}

function systemFailure(code: string, error: NodeJS.ErrnoException): CommandFailure {
  const place = error.path ?? 'a file'
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new CommandFailure(
        EXIT.noSpace,
        `There is no space left to write ${place}.`,
        'Free some space and run the command again.',
        error,
      )
    case 'EACCES':
    case 'EPERM':
      return new CommandFailure(
        EXIT.notAllowed,
        `There is no permission for ${place}.`,
        'Change its rights, or choose another place.',
        error,
      )
    case 'EROFS':
      return new CommandFailure(
        EXIT.notAllowed,
        `${place} lies on a read-only file system.`,
        'Choose another place.',
        error,
      )
    case 'ENOENT':
      return new CommandFailure(EXIT.notFound, `There is no ${place}.`, 'Check the path.', error)
    case 'ENOTDIR':
    case 'EEXIST':
      return new CommandFailure(EXIT.usage, `${place} is not a folder.`, 'Choose another place.', error)
    case 'EADDRINUSE':
      return new CommandFailure(
        EXIT.unreachable,
        `The port ${portOf(error)} is taken by another program.`,
        'Choose another one with --port; 0 takes a free one.',
        error,
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new CommandFailure(
        EXIT.usage,
        'This machine does not have the address of --host.',
        'Use 127.0.0.1, or 0.0.0.0 for every address.',
        error,
      )
    case 'ECONNREFUSED':
    case 'ECONNRESET':
      return new CommandFailure(
        EXIT.unreachable,
        'The database does not answer.',
        'Check DATABASE_URL and that the server runs.',
        error,
      )
    default:
      return unforeseen(error.message, error)
  }
}

function portOf(error: NodeJS.ErrnoException & { port?: number }): string {
  return error.port === undefined ? 'that was asked for' : String(error.port)
}

function unforeseen(sentence: string, error: unknown): CommandFailure {
  return new CommandFailure(
    EXIT.someFailed,
    sentence.split('\n', 1)[0]!,
    'Run it again with SHEAF_LOG=debug to see where it happened, and report that.',
    error,
  )
}
