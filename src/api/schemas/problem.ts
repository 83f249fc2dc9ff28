import { z } from 'zod'
import { ERROR_CATEGORIES, ERROR_CODES, ERRORS, type ErrorCode } from '../../core/index.ts'

/** RFC 9457, with the stable code of docs/reference/errors.md. */
export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]),
    category: z.enum(ERROR_CATEGORIES),
    detail: z.string(),
    hint: z.string(),
    requestId: z.string(),
  })
  .meta({ id: 'Problem', description: 'An error: RFC 9457 with a stable code.' })

type ProblemResponse = {
  description: string
  content: { 'application/problem+json': { schema: typeof problemSchema } }
}

/** Problem answers that any route can give. */
const EVERYWHERE = ['bad_request', 'unauthorized', 'too_many_requests', 'internal', 'unavailable'] as const

/** The problem answers of a route, by status, for its description: the named codes and those of every route. */
export function problems(...codes: readonly ErrorCode[]): Record<number, ProblemResponse> {
  const byStatus = Map.groupBy(new Set([...codes, ...EVERYWHERE]), (code) => ERRORS[code].status)
  const entries = [...byStatus]
    .toSorted(([a], [b]) => a - b)
    .map(([status, all]): [number, ProblemResponse] => [
      status,
      {
        description: all.map((code) => `\`${code}\`: ${ERRORS[code].message}`).join(' '),
        content: { 'application/problem+json': { schema: problemSchema } },
      },
    ])
  return Object.fromEntries(entries)
}
