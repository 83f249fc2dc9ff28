import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { readMetrics, type Database, type MetricsRow } from '../database/index.ts'
import type { Api, Services } from './services.ts'

/** Metrics in the format of Prometheus; no names, ids or texts. */
export function registerMetrics(app: Api, { database, log, hub }: Services): void {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const durations = measureRequests(app, registry)
  const figures = createFigures(registry)
  const streams = new Gauge({ name: 'sheaf_event_streams', help: 'Open streams of events.', registers: [registry] })
  app.get('/metrics', { schema: { hide: true }, config: { open: 'loopback' } }, async (_request, reply) => {
    streams.set(hub.size)
    figures.show(
      await readFigures(database).catch((error: unknown) => {
        log.warn({ err: error }, 'the database has no figures')
        return null
      }),
    )
    return reply.type(registry.contentType).send(await registry.metrics())
  })
  app.addHook('onClose', async () => {
    durations.reset()
    registry.clear()
  })
}

function readFigures(database: Database): Promise<MetricsRow> {
  return database.asSystem('metrics', readMetrics)
}

function measureRequests(app: Api, registry: Registry): Histogram {
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time until a request was answered.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    // a stream lasts as long as somebody reads it
    if (route.endsWith('/events')) return
    durations.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000)
    request.log.debug(
      {
        method: request.method,
        route,
        status: reply.statusCode,
        milliseconds: Math.round(reply.elapsedTime),
        requestId: request.id,
      },
      'answered',
    )
  })
  return durations
}

/** Gauges that are read from the database when somebody asks. */
function createFigures(registry: Registry): { show(row: MetricsRow | null): void } {
  const gauge = (name: string, help: string, ...labelNames: string[]) =>
    new Gauge({ name, help, labelNames, registers: [registry] })
  const up = gauge('sheaf_database_up', 'Whether the database answers.')
  const batches = gauge('sheaf_batches', 'Batches by status.', 'status')
  const documents = gauge('sheaf_documents', 'Documents of present runs by state.', 'state')
  const waiting = gauge('sheaf_worker_waiting', 'Jobs that wait for a worker.', 'class')
  const oldest = gauge('sheaf_worker_oldest_seconds', 'How long the oldest job has waited.', 'class')
  const slots = gauge('sheaf_worker_demand', 'Slots of workers that would be busy now.', 'class')
  return {
    show: (row) => {
      for (const one of [batches, documents, waiting, oldest, slots]) one.reset()
      up.set(row ? 1 : 0)
      for (const { status, count } of row?.batches ?? []) batches.set({ status }, count)
      for (const { state, count } of row?.documents ?? []) documents.set({ state }, count)
      for (const demand of row?.demand ?? []) {
        waiting.set({ class: demand.class }, demand.waiting)
        oldest.set({ class: demand.class }, demand.oldestSeconds)
        slots.set({ class: demand.class }, demand.slotsWanted)
      }
    },
  }
}
