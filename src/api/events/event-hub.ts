import { lastEventId, type Database } from '../../database/index.ts'
import type { Logger } from '../../core/index.ts'
import { publishEvents } from '../../queue/index.ts'
import { coalesced } from './coalesced.ts'
import type { EventClient } from './event-client.ts'
import { GONE, HEARTBEAT } from './event-frame.ts'
import { createWorkspaceFeed, type WorkspaceFeed } from './workspace-feed.ts'

const HEARTBEAT_MS = 15_000
/** Notifications can be lost with a connection; what they would have said is then seen this late. */
const POLL_MS = 1000
/** Full groups mean that more waits to be published. */
const PUBLISHED_AT_ONCE = 1000

/** The live side of the durable log: publishes what is written and feeds the readers of this process. */
export interface EventHub {
  start(): Promise<void>
  /** Where a reader begins: behind the last event it has seen, or with what comes from now on. */
  startFrom(workspaceId: string, lastSeen: number | null): Promise<number>
  /** Sends a reader what came after its place, then everything new; resolves when it is up to date or gone. */
  join(client: EventClient): Promise<void>
  leave(client: EventClient): void
  /** How many readers are connected. */
  readonly size: number
  /** Ends all streams and stops listening. */
  close(): Promise<void>
}

export function createEventHub(database: Database, log: Logger): EventHub {
  const feeds = new Map<string, WorkspaceFeed>()
  const clients = new Set<EventClient>()
  const publish = coalesced(async () => {
    while ((await publishEvents(database)) >= PUBLISHED_AT_ONCE);
  })
  const quietly = (work: Promise<void>): void =>
    void work.catch((error: unknown) => log.warn({ err: error }, 'events are late'))
  let stops: (() => Promise<void>)[] = []

  const heard = (channel: string, payload: string): void => {
    if (channel === 'sheaf_events') quietly(publish())
    else if (channel === 'sheaf_published') quietly(feeds.get(payload)?.wake() ?? Promise.resolve())
    else for (const client of clients) if (client.batchId === payload) client.end(GONE)
  }
  const poll = (): void => {
    if (clients.size === 0) return
    quietly(publish())
    for (const feed of feeds.values()) quietly(feed.wake())
  }
  const beat = (): void => clients.forEach((client) => client.send(HEARTBEAT))

  return {
    start: async () => {
      const timers = [setInterval(poll, POLL_MS), setInterval(beat, HEARTBEAT_MS)]
      stops = [() => Promise.resolve(timers.forEach(clearInterval))]
      stops.push(await database.listen(['sheaf_events', 'sheaf_published', 'sheaf_gone'], heard))
    },
    startFrom: async (workspaceId, lastSeen) => {
      const newest = await database.asUser({ workspaceId, userId: null }, (tx) => lastEventId(tx, workspaceId))
      // an id from the future is of another database: everything that comes is new
      return lastSeen === null ? newest : Math.min(lastSeen, newest)
    },
    join: async (client) => {
      clients.add(client)
      let feed = feeds.get(client.workspaceId)
      if (!feed) feeds.set(client.workspaceId, (feed = createWorkspaceFeed(database, client.workspaceId)))
      await feed.join(client)
    },
    leave: (client) => {
      clients.delete(client)
      const feed = feeds.get(client.workspaceId)
      feed?.leave(client)
      if (![...clients].some(({ workspaceId }) => workspaceId === client.workspaceId)) feeds.delete(client.workspaceId)
    },
    get size() {
      return clients.size
    },
    close: async () => {
      for (const client of clients) client.end()
      await Promise.all(stops.map((stop) => stop()))
      stops = []
    },
  }
}
