import type { FastifyError } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { SheafError, toSheafError, type ErrorCode } from '../core/index.ts'
import { sqlState } from '../database/index.ts'

/** Values that no statement of ours can be blamed for: text with NUL or half characters, numbers out of range. */
const BAD_VALUES = new Set(['22P02', '22P05', '22021', '22003', '22007', '22008'])

/** Reads anything that was thrown while a request was answered as one of our errors. */
export function readError(error: unknown): SheafError {
  if (error instanceof SheafError) return error
  if (hasZodFastifySchemaValidationErrors(error)) return readValidationError(error)
  const status = (error as FastifyError | null)?.statusCode
  if (status !== undefined && status >= 400 && status < 500) return readFrameworkError(error as FastifyError)
  return readDatabaseError(error) ?? toSheafError(error)
}

function readValidationError(error: Parameters<typeof readIssues>[0] & { validationContext?: string }): SheafError {
  // an id that cannot be one is the id of nothing
  if (error.validationContext === 'params') return new SheafError('not_found')
  const errors = readIssues(error)
  const first = errors[0]!
  const detail = first.path === '' ? first.message : `${first.path}: ${first.message}`
  return new SheafError('bad_request', detail, { extra: { errors } })
}

function readIssues(error: {
  validation: readonly { instancePath: string; message?: string }[]
}): { path: string; message: string }[] {
  return error.validation.slice(0, 20).map(({ instancePath, message }) => ({
    path: instancePath.slice(0, 200).replace(/^\//, '').replaceAll('/', '.'),
    message: (message ?? 'Invalid').slice(0, 500),
  }))
}

const BY_STATUS: Record<number, ErrorCode> = {
  404: 'not_found',
  406: 'unsupported_media_type',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
}

function readFrameworkError(error: FastifyError): SheafError {
  const isBadField = error.code === 'FST_INVALID_JSON_FIELD_ERROR'
  const code = isBadField ? 'bad_request' : (BY_STATUS[error.statusCode!] ?? 'bad_request')
  return new SheafError(code, error.message.slice(0, 300), { cause: error })
}

/** The query builder wraps what the driver threw. */
function readDatabaseError(error: unknown): SheafError | null {
  const state = sqlState(error)
  if (state !== undefined && BAD_VALUES.has(state))
    return new SheafError('bad_request', 'A value cannot be stored.', { cause: error })
  // 53300: too many connections; 55P03, 40001, 40P01: others were faster four times
  if (state !== undefined && /^(08|57P|53300|55P03|40001|40P01)/.test(state)) return unavailable(error)
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof SheafError) return e
    if (
      /^Connection terminated|^Client has encountered a connection error|timeout exceeded when trying to connect/.test(
        e.message,
      )
    )
      return unavailable(error)
    const read = toSheafError(e)
    if (read.code !== 'internal') return read
  }
  return null
}

function unavailable(cause: unknown): SheafError {
  return new SheafError('unavailable', 'The database does not answer.', { cause })
}
