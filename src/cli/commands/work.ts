import { availableParallelism } from 'node:os'
import { readSettings } from '../connect.ts'
import { EXIT } from '../failure.ts'
import type { Invocation } from '../invocation.ts'
import { count } from '../terminal.ts'
import { workerFolder } from '../worker-folder.ts'

/** So long a queue must be empty before the work is done; also how long an empty one is waited for. */
const IDLE_MS = 500

/** `sheaf work`: takes leases, finishes them and ends, for schedulers that start processes themselves. */
export async function work(
  invocation: Invocation,
  flags: { maxDocuments?: number; workers?: number },
): Promise<number> {
  const config = await readSettings(invocation)
  const [{ createLog }, { openEngine }, { startWorker }] = await Promise.all([
    import('../../core/index.ts'),
    import('../engine.ts'),
    import('../../worker/index.ts'),
  ])
  const interrupted = new Promise<'interrupted'>((resolve) =>
    invocation.interruption.handle(() => resolve('interrupted')),
  )
  const engine = await openEngine(config, createLog(config.logLevel === 'info' ? 'warn' : config.logLevel))
  try {
    const worker = await startWorker({
      ...engine,
      readers: flags.workers ?? config.workers ?? availableParallelism(),
      temporary: await workerFolder(config.dataDir),
      retryBaseSeconds: config.retryBaseSeconds,
      failpoints: config.failpoint,
      ...(flags.maxDocuments !== undefined && { maxLeases: flags.maxDocuments }),
    })
    const end = await Promise.race([worker.untilIdle(IDLE_MS), interrupted])
    await worker.stop()
    return report(invocation, worker.finished, end === 'interrupted')
  } finally {
    await engine.close()
  }
}

function report(
  { terminal, flags }: Invocation,
  finished: { leases: number; failed: number },
  isInterrupted: boolean,
): number {
  if (flags.json) terminal.printJson(finished)
  else terminal.print(`Finished ${count(finished.leases, 'lease')}, ${finished.failed} failed.`)
  if (isInterrupted) return EXIT.interrupted
  return finished.failed > 0 ? EXIT.someFailed : EXIT.ok
}
