import type { FastifyRequest } from 'fastify'
import { isIPv4 } from 'node:net'
import { SheafError } from '../core/index.ts'
import type { RateLimit } from './rate-limit.ts'
import type { Api, Services } from './services.ts'

/** Asks every route for a key that is not said to be open, and counts the request. */
export function registerAuthentication(app: Api, services: Services, limit: RateLimit): void {
  app.decorateRequest('caller')
  app.addHook('onRequest', async (request, reply) => {
    const { open } = request.routeOptions.config
    if (request.is404 || open === 'yes') return
    const key = bearerOf(request)
    const isOpen = key === null && open === 'loopback' && isFromHere(request)
    if (isOpen) assertLocalName(request)
    const caller = key === null ? null : await services.keyring.find(key)
    if (caller) request.caller = caller
    await limit(request, reply)
    if (!caller && !isOpen) throw new SheafError('unauthorized')
  })
}

function bearerOf(request: FastifyRequest): string | null {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? null
}

/** A request that a proxy passed on does not come from this machine, even where the proxy does. */
function isFromHere(request: FastifyRequest): boolean {
  const isPassedOn = request.headers['x-forwarded-for'] !== undefined || request.headers.forwarded !== undefined
  return !isPassedOn && isLoopback(request.ip)
}

function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/, '')
  return plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'))
}

/** A foreign name that resolves to this machine is how a web page would read what is open here (DNS rebinding). */
function assertLocalName(request: FastifyRequest): void {
  const name = request.hostname.replace(/^\[|\]$/g, '')
  if (name !== 'localhost' && !isLoopback(name))
    throw new SheafError('forbidden', 'Without a key this is only for localhost.')
}
