import { hostname } from 'node:os'
import { newId } from '../core/index.ts'
import { type Database, sql } from '../database/index.ts'

export interface Registration {
  /** Names the worker in leases. */
  number: number
  /** Gives the lock back; the row goes with it. */
  release(): Promise<void>
}

/** Makes this process a worker that others can see alive: a row, and an advisory lock that falls free when it dies. */
export async function registerWorker(database: Database): Promise<Registration> {
  const { rows } = await database.asSystem('lease', (tx) =>
    tx.execute<{ number: number }>(sql`
    insert into workers (id, host, pid) values (${newId()}, ${hostname()}, ${process.pid}) returning number`),
  )
  const number = rows[0]!.number
  const lock = await database.holdWorkerLock(number)
  return {
    number,
    release: async () => {
      await database
        .asSystem('lease', (tx) =>
          tx.execute(sql`
        delete from workers where number = ${number} and number not in (select leased_by from jobs where state = 'running' and leased_by = ${number})`),
        )
        .catch(() => {})
      await lock.release()
    },
  }
}
