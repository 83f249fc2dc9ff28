import multipart from '@fastify/multipart'
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { createLog, newId, SheafError } from '../core/index.ts'
import type { Database } from '../database/index.ts'
import { UNLIMITED } from '../intake/index.ts'
import type { BlobStore } from '../storage/index.ts'
import { registerAuthentication } from './authentication.ts'
import { registerDocs } from './docs-page.ts'
import { createEventHub } from './events/event-hub.ts'
import { IDLE_MS, registerIdleConnections } from './idle-connections.ts'
import { MOST_JSON_BYTES, registerJsonBody } from './json-body.ts'
import { createKeyring } from './keyring.ts'
import { registerMetrics } from './metrics.ts'
import { registerOpenapi } from './openapi.ts'
import { registerProblems, sendProblem } from './problem.ts'
import { createRateLimit } from './rate-limit.ts'
import { readError } from './read-error.ts'
import { accountRoutes } from './routes/account.ts'
import { administrationRoutes } from './routes/administration.ts'
import { batchActionRoutes } from './routes/batch-actions.ts'
import { batchReadRoutes } from './routes/batch-reads.ts'
import { batchRoutes } from './routes/batches.ts'
import { documentRoutes } from './routes/documents.ts'
import { eventRoutes } from './routes/events.ts'
import { exportRoutes } from './routes/exports.ts'
import { healthRoutes } from './routes/health.ts'
import { pageRoutes } from './routes/pages.ts'
import { uploadRoutes } from './routes/uploads.ts'
import { registerSecurityHeaders } from './security-headers.ts'
import type { Api, ApiOptions, Services } from './services.ts'
import { registerShedding } from './shedding.ts'
import { createStorageRoom } from './storage-room.ts'
import { createUploadGate } from './upload/upload-gate.ts'

const HEADERS_MS = 15_000
const MOST_CONNECTIONS = 10_000

/** The HTTP API, ready to `listen()` or `inject()`. `close()` ends its streams of events and its listeners. */
export async function buildApi(options: ApiOptions): Promise<FastifyInstance> {
  const services = createServices(options)
  const app = await createApp(services)
  app.addHook('preClose', () => services.hub.close())
  await services.hub.start()
  return app as unknown as FastifyInstance
}

/** The OpenAPI 3.1 document, made without database or storage. */
export async function openapiDocument(): Promise<object> {
  const app = await createApp(
    createServices({ database: NO_DATABASE, store: NO_STORE, plan: UNLIMITED, log: createLog('silent'), version: '' }),
  )
  await app.ready()
  const document = app.swagger()
  await app.close()
  return document
}

function createServices(options: ApiOptions): Services {
  return {
    ...options,
    hub: createEventHub(options.database, options.log),
    keyring: createKeyring(options.database),
    room: createStorageRoom(options.store, options.freeSpaceFloor),
    gate: createUploadGate(),
  }
}

async function createApp(services: Services): Promise<Api> {
  const app = createServer(services)
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  registerProblems(app)
  registerJsonBody(app)
  await registerSecurityHeaders(app)
  await registerShedding(app)
  registerAuthentication(app, services, await createRateLimit(app, services.requestsPerMinute))
  await app.register(multipart)
  registerIdleConnections(app)
  await registerOpenapi(app)
  registerMetrics(app, services)
  for (const routes of ROUTES) routes(app, services)
  registerDocs(app)
  return app
}

const ROUTES = [
  batchRoutes,
  batchActionRoutes,
  batchReadRoutes,
  uploadRoutes,
  documentRoutes,
  exportRoutes,
  eventRoutes,
  accountRoutes,
  administrationRoutes,
  healthRoutes,
  pageRoutes,
] as const

function createServer({ log, trustedProxies = [] }: Services): Api {
  const app = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    // one line for each request is written in metrics.ts, without its address: that may hold names
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => newId(),
    trustProxy: trustedProxies.length > 0 ? trustedProxies : false,
    bodyLimit: MOST_JSON_BYTES,
    connectionTimeout: IDLE_MS,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    http: { headersTimeout: HEADERS_MS, connectionsCheckingInterval: HEADERS_MS / 3 },
    frameworkErrors: (error, request, reply) => sendProblem(readError(error), request, reply),
  }).withTypeProvider<ZodTypeProvider>()
  app.server.maxConnections = MOST_CONNECTIONS
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  return app
}

const refuse = (): Promise<never> => Promise.reject(new SheafError('unavailable', 'This API only describes itself.'))
const NO_DATABASE: Database = {
  asUser: refuse,
  asSystem: refuse,
  listen: refuse,
  holdWorkerLock: refuse,
  close: refuse,
}
const NO_STORE: BlobStore = {
  stage: refuse,
  adopt: refuse,
  get: refuse,
  materialise: refuse,
  head: refuse,
  delete: refuse,
  list: async function* () {
    yield await refuse()
  },
  sign: refuse,
  probe: refuse,
  sweep: refuse,
}
