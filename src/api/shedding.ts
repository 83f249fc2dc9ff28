import underPressure from '@fastify/under-pressure'
import { SheafError } from '../core/index.ts'
import type { Api } from './services.ts'

/** A server that answers this late cannot do more; it says so instead of growing. */
const LONGEST_DELAY_MS = 3000
/** Requests that are being answered at the same time; with a stalled database they would pile up without end. */
const MOST_RUNNING = 1000

/** 503 with Retry-After while the process cannot keep up, and while it shuts down. */
export async function registerShedding(app: Api): Promise<void> {
  shedWhileDraining(app)
  shedTooMany(app)
  await app.register(underPressure, {
    maxEventLoopDelay: LONGEST_DELAY_MS,
    pressureHandler: (request) => {
      if (request.routeOptions.config.open !== undefined) return undefined
      return Promise.reject(new SheafError('unavailable', 'The server is busy.'))
    },
  })
}

function shedWhileDraining(app: Api): void {
  let isDraining = false
  app.addHook('preClose', async () => {
    isDraining = true
  })
  app.addHook('onRequest', async (request) => {
    if (isDraining && request.routeOptions.url !== '/healthz') throw new SheafError('draining')
  })
  // a connection that stays open after its last answer would hold up the end
  app.addHook('onSend', async (_request, reply) => {
    if (isDraining) reply.header('connection', 'close')
  })
}

function shedTooMany(app: Api): void {
  let running = 0
  app.addHook('onRequest', async (request, reply) => {
    const { config, url = '' } = request.routeOptions
    // streams of events last for hours and are limited by themselves
    if (config.open !== undefined || url.endsWith('/events')) return
    if (running >= MOST_RUNNING) throw new SheafError('unavailable', 'The server is busy.')
    running += 1
    reply.raw.once('close', () => {
      running -= 1
    })
  })
}
