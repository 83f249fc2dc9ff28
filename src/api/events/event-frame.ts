import type { StoredEvent } from '../../queue/index.ts'

export const HEARTBEAT = Buffer.from(':\n\n')
export const GONE = Buffer.from('event: gone\ndata: {}\n\n')
/** How long a client waits before it connects again. */
export const OPENING = Buffer.from('retry: 2000\n\n')

/** An event as JSON for every kind of delivery. */
export function eventJson(event: StoredEvent): Record<string, unknown> {
  const { id, type, batchId, documentId, at, data } = event
  return { id, type, batchId, ...(documentId !== null && { documentId }), at, data }
}

/** An event in the format of server-sent events (HTML Living Standard, 9.2); JSON has no line end. */
export function eventFrame(event: StoredEvent): Buffer {
  return Buffer.from(`id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(eventJson(event))}\n\n`)
}
