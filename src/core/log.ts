import { pino, type Logger } from 'pino'

export type { Logger }

/**
 * JSON lines on stderr. No document text, names or secrets are ever put in: ids and codes only. Errors of the database
 * driver carry statements with their parameters, so of an error only its kind, code and stack frames are kept.
 */
export function createLog(level: string): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: describeError },
    redact: ['password', 'passwords', 'secret', 'req.headers.authorization'],
  }
  return pino(options, pino.destination({ dest: 2, sync: true }))
}

interface LoggedError {
  type: string
  code?: string
  message?: string
  frames: string[]
  cause?: LoggedError
}

const FRAMES = 6

function describeError(error: unknown): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, frames: [] }
  const { code, constraint } = error as { code?: unknown; constraint?: unknown }
  const isOfQuery = 'query' in error || 'params' in error
  return {
    type: error.name,
    ...(typeof code === 'string' && { code }),
    // messages of PostgreSQL name tables and constraints, not values; those are in its details
    ...(!isOfQuery && {
      message: typeof constraint === 'string' ? `violates ${constraint}` : error.message.slice(0, 300),
    }),
    frames: (error.stack ?? '')
      .split('\n')
      .filter((line) => line.startsWith('    at '))
      .slice(0, FRAMES)
      .map((line) => line.trim()),
    ...(error.cause instanceof Error && { cause: describeError(error.cause) }),
  }
}
