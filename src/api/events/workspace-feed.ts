import { setImmediate } from 'node:timers/promises'
import { lastEventId, type Database } from '../../database/index.ts'
import { readEvents, type StoredEvent } from '../../queue/index.ts'
import { coalesced } from './coalesced.ts'
import type { EventClient } from './event-client.ts'
import { eventFrame, GONE } from './event-frame.ts'

/** Events read at once. */
const PAGE = 200
const BURST_BYTES = 16 * 1024

/** All readers of one workspace: what is new is read once and handed to each of them. */
export interface WorkspaceFeed {
  readonly clients: ReadonlySet<EventClient>
  /** Sends what came after the reader's last event, then everything new; resolves when it is up to date or gone. */
  join(client: EventClient): Promise<void>
  leave(client: EventClient): void
  /** Something may be new. */
  wake(): Promise<void>
}

export function createWorkspaceFeed(database: Database, workspaceId: string): WorkspaceFeed {
  const clients = new Set<EventClient>()
  const read = (after: number, batchId: string | null): Promise<StoredEvent[]> =>
    database.asUser({ workspaceId, userId: null }, (tx) =>
      readEvents(tx, { workspaceId, after, limit: PAGE, ...(batchId !== null && { batchId }) }),
    )
  const newest = (): Promise<number> =>
    database.asUser({ workspaceId, userId: null }, (tx) => lastEventId(tx, workspaceId))
  /** Up to where all joined readers are served; null while there are none. */
  let position: number | null = null
  let joined = 0

  const deliver = (event: StoredEvent, readers: readonly EventClient[]): number => {
    const frame = eventFrame(event)
    for (const client of readers) {
      if (client.lastId >= event.id || (client.batchId !== null && client.batchId !== event.batchId)) continue
      client.lastId = event.id
      client.send(frame)
      if (event.type === 'batch.deleted' && client.batchId !== null) client.end(GONE)
    }
    return frame.length
  }
  /** A burst is handed over in pieces, so that only readers whose connection is slow fall behind. */
  const deliverAll = async (events: readonly StoredEvent[]): Promise<void> => {
    const readers = [...clients]
    let burst = 0
    for (const event of events) {
      burst += deliver(event, readers)
      if (burst < BURST_BYTES) continue
      burst = 0
      await setImmediate()
    }
  }
  const wake = coalesced(async () => {
    for (;;) {
      const [from, joinedBefore] = [position, joined]
      if (from === null) return
      const events = await read(from, null)
      await deliverAll(events)
      // who joined meanwhile was not served, and may be less far: the page is read again
      if (joined !== joinedBefore) continue
      if (position !== null) position = events.at(-1)?.id ?? from
      if (events.length < PAGE) return
    }
  })

  /** Page by page at the reader's own pace; it joins when nothing was published that it has not read. */
  const catchUp = async (client: EventClient): Promise<void> => {
    for (;;) {
      const present = await newest()
      const events = await read(client.lastId, client.batchId)
      for (const event of events) {
        client.send(eventFrame(event))
        client.lastId = event.id
        await client.drained()
        if (event.type === 'batch.deleted' && client.batchId !== null) client.end(GONE)
      }
      // events of other batches are none of its business
      if (events.length < PAGE) client.lastId = Math.max(client.lastId, present)
      if (!client.isOpen || events.length < PAGE) return
    }
  }

  return {
    clients,
    join: async (client) => {
      await catchUp(client)
      if (!client.isOpen) return
      // readers that have joined are served from the smallest place any of them was at; ids keep each from repetition
      position = Math.min(position ?? Infinity, client.lastId)
      joined += 1
      clients.add(client)
      await wake()
    },
    leave: (client) => {
      clients.delete(client)
      if (clients.size === 0) position = null
    },
    wake,
  }
}
