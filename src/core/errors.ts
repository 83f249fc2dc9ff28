/**
 * The one table of everything that can go wrong in front of a person. API answers, CLI lines,
 * retry decisions, the OpenAPI enum and docs/reference/errors.md all come from it.
 */

export const ERROR_CATEGORIES = [
  'rejected',
  'duplicate',
  'quota',
  'encrypted',
  'corrupt',
  'unsupported',
  'archive_limits',
  'no_text',
  'ocr',
  'schema',
  'provider',
  'timeout',
  'resource',
  'crash',
  'storage',
  'cancelled',
  'internal',
] as const
export type ErrorCategory = (typeof ERROR_CATEGORIES)[number]

export interface ErrorDefinition {
  category: ErrorCategory
  /** HTTP status when the error is the answer to a request. */
  status: number
  /** Automatic retries after the first attempt, 0 to 3. */
  retries: 0 | 1 | 2 | 3
  /** Whether a failed attempt of this kind uses up one of the document's attempts. */
  countsAttempt: boolean
  /** One sentence for people. Constant per code, so that messages can be counted. */
  message: string
  /** What the person can do about it. */
  action: string
}

function define<const T extends Record<string, ErrorDefinition>>(table: T): T {
  return table
}

type Row = [ErrorCategory, number, 0 | 1 | 2 | 3, string, string]
const row = ([category, status, retries, message, action]: Row): ErrorDefinition => ({
  category,
  status,
  retries,
  countsAttempt: true,
  message,
  action,
})

export const ERRORS = define({
  // refused at the door: decided from name, size and count
  too_large: row(['rejected', 413, 0, 'The file is larger than the limit.', 'Split the file or raise the limit of the plan.']),
  too_many_files: row(['rejected', 413, 0, 'The batch already holds as many files as the plan allows.', 'Start another batch or raise the limit of the plan.']),
  empty_file: row(['rejected', 422, 0, 'The file is empty.', 'Send the file again from its source.']),
  bad_name: row(['rejected', 422, 0, 'The file has no usable name.', 'Rename the file and send it again.']),
  same_content: row(['duplicate', 409, 0, 'A file with the same content is already in this batch.', 'Nothing to do; open the first one.']),
  plan_limit: row(['quota', 402, 0, 'The plan does not allow this.', 'Raise the limit of the plan.']),
  // what reading finds
  unsupported_type: row(['unsupported', 415, 0, 'Files of this type cannot be read.', 'Convert the file to PDF, HTML or text and send it again.']),
  password_required: row(['encrypted', 422, 0, 'The document needs a password.', 'Give the password; the document is then read again.']),
  password_wrong: row(['encrypted', 422, 0, 'None of the given passwords opens the document.', 'Give another password.']),
  bad_pdf: row(['corrupt', 422, 0, 'The PDF is damaged and cannot be opened.', 'Send the file again from its source.']),
  bad_zip: row(['corrupt', 422, 0, 'The archive is damaged and cannot be opened.', 'Pack the files again and send the new archive.']),
  truncated: row(['corrupt', 422, 0, 'The file ends before its content does.', 'Send the file again from its source.']),
  archive_limits: row(['archive_limits', 422, 0, 'The archive holds more than is allowed to be unpacked.', 'Unpack it yourself and send the files.']),
  text_limits: row(['archive_limits', 422, 0, 'The document holds more text than is allowed.', 'Split the document and send the parts.']),
  no_text: row(['no_text', 422, 0, 'No text was found in the document.', 'Check that the file shows text when opened.']),
  // what happens to the process that reads
  parser_timeout: row(['timeout', 504, 1, 'Reading the document took longer than allowed.', 'Retry with a longer limit.']),
  page_timeout: row(['timeout', 504, 1, 'Reading one page took longer than allowed.', 'Retry with a longer limit.']),
  parser_memory: row(['resource', 422, 1, 'Reading the document needed more memory than allowed.', 'Split the document and send the parts.']),
  parser_crash: row(['crash', 422, 1, 'The reader died while reading the document.', 'Send the file in another format.']),
  // storage
  blob_missing: row(['storage', 500, 3, 'The stored bytes of the document are missing.', 'Send the file again.']),
  blob_corrupt: row(['storage', 500, 3, 'The stored bytes of the document have changed.', 'Send the file again.']),
  write_failed: row(['storage', 503, 3, 'The storage did not accept a write.', 'Check the storage; work resumes by itself.']),
  no_space: row(['storage', 507, 3, 'There is no space left in the storage.', 'Free some space; work resumes by itself.']),
  cancelled: row(['cancelled', 409, 0, 'The document was cancelled.', 'Retry it to process it after all.']),
  internal: row(['internal', 500, 3, 'Something failed inside Sheaf.', 'Retry; if it happens again, report it with the request id.']),
  // requests
  bad_request: row(['rejected', 400, 0, 'The request is malformed.', 'Correct the request as the detail says.']),
  batch_id_required: row(['rejected', 400, 0, 'The upload names no batch.', 'Add ?batch_id= with the id of an open batch.']),
  unauthorized: row(['rejected', 401, 0, 'The request carries no valid key.', 'Send "Authorization: Bearer" with an API key.']),
  forbidden: row(['rejected', 403, 0, 'This is not allowed with the given key.', 'Use a key with the needed right.']),
  not_found: row(['rejected', 404, 0, 'There is nothing with this id.', 'Check the id.']),
  batch_closed: row(['rejected', 409, 0, 'The batch does not take files any more.', 'Start a new batch.']),
  state_conflict: row(['rejected', 409, 0, 'The batch is not in a state that allows this.', 'Look at its state and try again.']),
  idempotency_mismatch: row(['rejected', 422, 0, 'The idempotency key was used with another request.', 'Use a new key for a new request.']),
  stale_etag: row(['rejected', 412, 0, 'The batch has changed since it was read.', 'Read it again and repeat the change.']),
  if_match_required: row(['rejected', 428, 0, 'The request must say which version it changes.', 'Send If-Match with the ETag that was read.']),
  batch_expired: row(['rejected', 410, 0, 'The batch has expired.', 'Start a new batch.']),
  range_not_satisfiable: row(['rejected', 416, 0, 'The content does not have the bytes that were asked for.', 'Ask for bytes inside its size.']),
  payload_too_large: row(['rejected', 413, 0, 'The request is larger than allowed.', 'Send less at once.']),
  unsupported_media_type: row(['rejected', 415, 0, 'The request has a content type that is not accepted.', 'Send JSON or multipart/form-data.']),
  nothing_accepted: row(['rejected', 422, 0, 'None of the files was accepted.', 'See the reason of each file.']),
  too_many_requests: row(['quota', 429, 0, 'Too many requests.', 'Wait as long as Retry-After says.']),
  unavailable: row(['storage', 503, 3, 'A part that Sheaf needs is not available.', 'Try again in a moment.']),
  draining: row(['resource', 503, 0, 'The server is shutting down.', 'Try again in a moment.']),
})

export type ErrorCode = keyof typeof ERRORS
export const ERROR_CODES = Object.keys(ERRORS) as ErrorCode[]

/** A document's error as people and programs see it (`error` in interfaces). */
export interface DocumentError {
  code: ErrorCode
  category: ErrorCategory
  stage: string
  retryable: boolean
  message: string
  action: string
  /** What is special about this case, e.g. the limit that was hit. */
  detail?: string
  page?: number
  attempt: number
  /** ISO 8601 */
  at: string
}

/** The only error class thrown on purpose; everything else that is thrown becomes `internal`. */
export class SheafError extends Error {
  override readonly name = 'SheafError'
  readonly code: ErrorCode
  readonly detail: string | undefined
  readonly extra: Record<string, unknown>

  constructor(code: ErrorCode, detail?: string, options: { cause?: unknown; extra?: Record<string, unknown> } = {}) {
    super(detail ?? ERRORS[code].message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.detail = detail
    this.extra = options.extra ?? {}
  }

  get definition(): ErrorDefinition {
    return ERRORS[this.code]
  }
}

function codeOf(error: unknown): unknown {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof SheafError) return e.code
    const { code } = e as { code?: unknown }
    if (code !== undefined) return code
  }
  return undefined
}

/** Reads a foreign error (Node, PostgreSQL) as one of ours; what is not recognised is `internal`. */
export function toSheafError(error: unknown): SheafError {
  if (error instanceof SheafError) return error
  // the query builder wraps what the driver says
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === '53100') return new SheafError('no_space', undefined, { cause: error })
  if (code === 'EROFS' || code === 'EACCES' || code === 'EIO') return new SheafError('write_failed', undefined, { cause: error })
  if (typeof code === 'string' && (/^(08|57P)/.test(code) || ['ECONNREFUSED', 'ECONNRESET', 'ENOENT_SOCKET', 'EPIPE'].includes(code))) {
    return new SheafError('unavailable', undefined, { cause: error })
  }
  return new SheafError('internal', error instanceof Error ? error.message : String(error), { cause: error })
}
