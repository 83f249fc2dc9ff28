import type { FastifyReply, FastifyRequest } from 'fastify'
import { ERRORS, SheafError } from '../core/index.ts'
import { readError } from './read-error.ts'
import type { Api } from './services.ts'

/** Seconds after which to try again, where the error itself does not know better. */
const RETRY_AFTER: Record<number, number> = { 429: 1, 503: 2, 507: 30 }

/** Every error leaves as application/problem+json (RFC 9457). */
export function registerProblems(app: Api): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = readError(error)
    if (problem.definition.status >= 500) request.log.error({ err: error, code: problem.code }, 'a request failed')
    return sendProblem(problem, request, reply)
  })
  app.setNotFoundHandler((request, reply) =>
    sendProblem(new SheafError('not_found', 'There is no such address.'), request, reply),
  )
}

export function sendProblem(error: SheafError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status } = ERRORS[error.code]
  const { retryAfter, ...extra } = error.extra
  if (status in RETRY_AFTER)
    reply.header('retry-after', Math.max(1, Math.ceil(Number(retryAfter ?? RETRY_AFTER[status]))))
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="Sheaf"')
  reply.removeHeader('etag').removeHeader('content-disposition')
  return reply
    .code(status)
    .type('application/problem+json')
    .send({ ...extra, ...describeProblem(error, request.id) })
}

/** What failed inside Sheaf is told to the log, not to the caller. */
function describeProblem(error: SheafError, requestId: string): Record<string, unknown> {
  const { category, status, message, action } = ERRORS[error.code]
  const detail = error.code === 'internal' ? message : (error.detail ?? message)
  return {
    type: `urn:sheaf:error:${error.code}`,
    title: message,
    status,
    code: error.code,
    category,
    detail,
    hint: action,
    requestId,
  }
}
