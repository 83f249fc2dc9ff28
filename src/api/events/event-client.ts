import type { ServerResponse } from 'node:http'

/** What may wait for a slow reader; more, and it is cut off and has to come back with Last-Event-ID. */
export const CLIENT_BUFFER_BYTES = 64 * 1024

/** One reader of a stream of server-sent events. */
export interface EventClient {
  readonly workspaceId: string
  /** Null for the stream of the whole workspace. */
  readonly batchId: string | null
  /** The last event that was handed to it. */
  lastId: number
  readonly isOpen: boolean
  /** Hands over a frame; a reader that is too far behind is cut off. */
  send(frame: Buffer): void
  /** Resolves when more may be sent without piling up, or the reader is gone. */
  drained(): Promise<void>
  end(frame?: Buffer): void
}

/** Takes over a response whose header fields are written. */
export function createEventClient(
  response: ServerResponse,
  stream: { workspaceId: string; batchId: string | null; lastId: number },
): EventClient {
  return {
    ...stream,
    get isOpen() {
      return !response.destroyed && !response.writableEnded
    },
    send: (frame) => {
      if (response.destroyed || response.writableEnded) return
      if (response.writableLength + frame.length > CLIENT_BUFFER_BYTES && response.writableLength > 0)
        response.destroy()
      else response.write(frame)
    },
    drained: () =>
      new Promise((resolve) => {
        if (response.destroyed || !response.writableNeedDrain) return resolve()
        const finish = (): void => {
          response.off('drain', finish).off('close', finish)
          resolve()
        }
        return void response.on('drain', finish).on('close', finish)
      }),
    end: (frame) => {
      if (!response.destroyed && !response.writableEnded) response.end(frame)
    },
  }
}
