import { setTimeout as pause } from 'node:timers/promises'
import { sha256, type InputFile } from './inputs.ts'
import type { ServedSheaf } from './server.ts'

/** What the server has acknowledged; nothing in here may ever be missing again. */
export interface Ledger {
  batchId: string
  uploads: { documentId: string; path: string; sha256: string | null }[]
}

const PATIENCE_MS = 60_000

/**
 * A client that does not give up: connection errors and 5xx are tried again, as a good client would, with the same
 * idempotency key, until the server is there again.
 */
export class PersistentClient {
  readonly #server: ServedSheaf
  constructor(server: ServedSheaf) {
    this.#server = server
  }

  async call<T>(
    path: string,
    init: () => RequestInit = () => ({}),
    accept: readonly number[] = [200, 201, 202],
  ): Promise<T> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const answer = await this.#server.request(path, init()).then(
        async (response) => ({ status: response.status, body: await response.text() }),
        (error: unknown) => ({ status: 0, body: String(error) }),
      )
      if (accept.includes(answer.status)) return (answer.body ? JSON.parse(answer.body) : {}) as T
      const isTransient = answer.status === 0 || answer.status === 503 || answer.status === 429
      if (!isTransient) throw new Error(`${path} answered ${answer.status}: ${answer.body.slice(0, 500)}`)
      if (performance.now() > deadline)
        throw new Error(`${path} was not answered within ${PATIENCE_MS / 1000} s: ${answer.body.slice(0, 500)}`)
      await pause(25)
    }
  }

  async createBatch(name: string): Promise<string> {
    const init = (): RequestInit => ({
      method: 'POST',
      body: JSON.stringify({ name }),
      headers: { 'content-type': 'application/json', 'idempotency-key': `create ${name}` },
    })
    return (await this.call<{ id: string }>('/api/batches', init)).id
  }

  /** Uploads the files in groups, each with its own key, so that a repeated request brings nothing twice. */
  async upload(ledger: Ledger, files: readonly InputFile[], groupSize: number): Promise<void> {
    for (let i = 0; i < files.length; i += groupSize) {
      const group = files.slice(i, i + groupSize)
      const init = (): RequestInit => {
        const form = new FormData()
        for (const file of group) {
          form.append('key', file.path)
          form.append('files', new Blob([new Uint8Array(file.content)]), file.path)
        }
        return { method: 'POST', body: form }
      }
      const answer = await this.call<UploadAnswer>(`/api/upload?batch_id=${ledger.batchId}`, init, [201, 422])
      const hashes = new Map(group.map((file) => [file.path, sha256(file.content)]))
      for (const { documentId, path } of answer.accepted ?? [])
        ledger.uploads.push({ documentId, path, sha256: hashes.get(path)! })
      for (const { documentId, path } of answer.refused ?? []) ledger.uploads.push({ documentId, path, sha256: null })
    }
  }

  async documents(batchId: string): Promise<DocumentEntry[]> {
    const items: DocumentEntry[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: { items: DocumentEntry[]; nextCursor: string | null } = await this.call(
        `/api/batches/${batchId}/documents?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
      )
      items.push(...page.items)
      cursor = page.nextCursor
    }
    return items
  }
}

interface UploadAnswer {
  accepted?: { documentId: string; path: string }[]
  refused?: { documentId: string; path: string }[]
}

export interface DocumentEntry {
  id: string
  path: string
  sha256: string | null
  state: string
  attempts: number
  quarantined: boolean
  error: { code: string; category: string } | null
}

export interface BatchAnswer {
  id: string
  status: string
  counters: Record<string, number>
  summary: { revision: number } | null
}
