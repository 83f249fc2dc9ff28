import type { Logger } from 'pino'
import type { Database } from '../database/index.ts'
import { enqueueDue, feedStarving, foldDeltas, publishEvents, settleForgotten, takeOver } from '../queue/index.ts'

interface Task {
  name: string
  everyMs: number
  run(database: Database): Promise<unknown>
}

/** What every worker does beside its leases; each task is safe to run in all of them at once. */
const TASKS: readonly Task[] = [
  { name: 'take over', everyMs: 200, run: takeOver },
  { name: 'enqueue due', everyMs: 250, run: enqueueDue },
  { name: 'settle', everyMs: 1000, run: settleForgotten },
  { name: 'fold', everyMs: 1000, run: foldAll },
  { name: 'publish', everyMs: 1000, run: publishAll },
  { name: 'feed starving', everyMs: 1000, run: feedStarving },
]

async function foldAll(database: Database): Promise<void> {
  while ((await foldDeltas(database)) >= 20_000);
}

export async function publishAll(database: Database): Promise<void> {
  while ((await publishEvents(database)) >= 1000);
}

/** Starts the tasks; the returned function stops them and waits for what runs. */
export async function startMaintenance(database: Database, log: Logger): Promise<() => Promise<void>> {
  const running = new Map<string, Promise<void>>()
  const run = (task: Task): void => {
    if (running.has(task.name)) return
    const done = task
      .run(database)
      .then(
        () => undefined,
        (error: unknown) => log.warn({ err: error, task: task.name }, 'maintenance failed'),
      )
      .finally(() => running.delete(task.name))
    running.set(task.name, done)
  }
  const timers = TASKS.map((task) => setInterval(run, task.everyMs, task))
  const publish = TASKS.find((task) => task.name === 'publish')!
  const stopListening = await database.listen(['sheaf_events'], () => run(publish))
  for (const task of TASKS) run(task)
  return async () => {
    timers.forEach(clearInterval)
    await stopListening()
    await Promise.all(running.values())
  }
}
