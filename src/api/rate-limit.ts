import rateLimit from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { SheafError } from '../core/index.ts'
import type { Api } from './services.ts'

const REQUESTS_PER_MINUTE = 3000

/** Counts a request; throws too_many_requests with the seconds to wait. */
export type RateLimit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/**
 * Counts requests by key, or by address where none is in force (so guessing keys is counted too), and says so in the
 * header fields `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10).
 */
export async function createRateLimit(app: Api, requestsPerMinute: number = REQUESTS_PER_MINUTE): Promise<RateLimit> {
  await app.register(rateLimit, { global: false })
  const keyGenerator = (request: FastifyRequest) => request.caller?.keyId ?? request.ip
  const count = app.createRateLimit({ max: requestsPerMinute, timeWindow: 60_000, keyGenerator })
  return async (request, reply) => {
    const limit = await count(request)
    if (limit.isAllowed) return
    reply.header('ratelimit-policy', `"default";q=${limit.max};w=60`)
    reply.header('ratelimit', `"default";r=${limit.remaining};t=${limit.ttlInSeconds}`)
    if (limit.isExceeded)
      throw new SheafError('too_many_requests', undefined, { extra: { retryAfter: limit.ttlInSeconds } })
  }
}
