import { sql } from '../../database/index.ts'
import { z } from 'zod'
import { SheafError } from '../../core/index.ts'
import { readError } from '../read-error.ts'
import { problems } from '../schemas/problem.ts'
import type { Api, Services } from '../services.ts'

const PATIENCE_MS = 3000
const tags = ['Operations']

type Check = 'ok' | (string & {})

export function healthRoutes(app: Api, services: Services): void {
  app.route({
    method: 'GET',
    url: '/healthz',
    config: { open: 'yes' },
    schema: {
      tags,
      operationId: 'readHealth',
      summary: 'Whether the process answers',
      security: [],
      response: { 200: z.object({ status: z.literal('ok'), version: z.string() }), ...problems() },
    },
    handler: () => ({ status: 'ok' as const, version: services.version }),
  })
  app.route({
    method: 'GET',
    url: '/readyz',
    config: { open: 'yes' },
    schema: {
      tags,
      operationId: 'readReadiness',
      summary: 'Whether database and storage answer and have room',
      security: [],
      response: {
        200: z.object({ status: z.literal('ready'), checks: z.record(z.string(), z.string()) }),
        ...problems('draining'),
      },
    },
    handler: async () => {
      const [database, storage] = await Promise.all([checkDatabase(services), check(() => services.room.assertRoom())])
      const checks = { database, storage }
      const failed = Object.entries(checks).filter(([, result]) => result !== 'ok')
      if (failed.length === 0) return { status: 'ready' as const, checks }
      throw new SheafError('unavailable', failed.map(([name, result]) => `${name}: ${result}`).join(' '), {
        extra: { checks },
      })
    },
  })
}

function checkDatabase({ database }: Services): Promise<Check> {
  return check(() => database.asSystem('metrics', (tx) => tx.execute(sql`select 1`)))
}

/** `ok`, or one sentence that says what is wrong. */
async function check(work: () => Promise<unknown>): Promise<Check> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new SheafError('unavailable', `There was no answer within ${PATIENCE_MS / 1000} seconds.`)),
      PATIENCE_MS,
    )
  })
  try {
    await Promise.race([work(), late])
    return 'ok'
  } catch (error) {
    const { detail, definition } = readError(error)
    return detail ?? definition.message
  } finally {
    clearTimeout(timer)
  }
}
