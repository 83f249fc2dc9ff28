import type { FastifyReply, FastifyRequest } from 'fastify'
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { SheafError } from '../core/index.ts'
import { keepAnswer, takeIdempotencyKey, type Database, type Transaction } from '../database/index.ts'
import type { Caller } from './caller.ts'
import { within } from './transactions.ts'

/** What a creating request is answered with. */
export interface Answer<T> {
  status: number
  body: T
  headers?: Record<string, string>
}

/**
 * Creates something once for each Idempotency-Key: the key is taken in the transaction that creates, so parallel
 * repetitions wait for the first one and all get its answer. Another request with the same key is refused with
 * idempotency_mismatch. Without the field the work simply runs in a transaction.
 */
export async function createOnce<T>(
  database: Database,
  request: FastifyRequest,
  reply: FastifyReply,
  create: (database: Database, tx: Transaction) => Promise<Answer<T>>,
): Promise<T> {
  const { caller } = request
  const key = readIdempotencyKey(request)
  const answer = await database.asUser(caller, async (tx) => {
    if (key === null) return create(within(tx, database), tx)
    const kept = await takeIdempotencyKey(tx, caller.workspaceId, key, hashRequest(request))
    if (kept) return replay<T>(kept, caller, key, hashRequest(request))
    const created = await create(within(tx, database), tx)
    await keepAnswer(tx, caller.workspaceId, key, { status: created.status, response: seal(caller, key, created) })
    return created
  })
  for (const [name, value] of Object.entries(answer.headers ?? {})) reply.header(name, value)
  reply.code(answer.status)
  return answer.body
}

function readIdempotencyKey(request: FastifyRequest): string | null {
  const field = request.headers['idempotency-key']
  if (field === undefined) return null
  if (typeof field !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(field))
    throw new SheafError('bad_request', 'Idempotency-Key is 1 to 255 printable characters.')
  return field
}

function hashRequest(request: FastifyRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([request.method, request.url, request.body ?? null]))
    .digest('hex')
}

function replay<T>(
  kept: { requestHash: string; response: unknown },
  caller: Caller,
  key: string,
  requestHash: string,
): Answer<T> {
  if (kept.requestHash !== requestHash) throw new SheafError('idempotency_mismatch')
  return unseal<T>(caller, key, kept.response as string)
}

/**
 * Kept answers may hold what is shown only once (a new API key), so they are encrypted (AES-256-GCM) with a key that
 * only the caller's own API key yields; the database has no more than the hash of that.
 */
function seal(caller: Caller, key: string, answer: Answer<unknown>): string {
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', sealingKey(caller, key), iv)
  const text = Buffer.concat([cipher.update(JSON.stringify(answer)), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64')
}

function unseal<T>(caller: Caller, key: string, sealed: string): Answer<T> {
  const bytes = Buffer.from(sealed, 'base64')
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(caller, key), bytes.subarray(0, 12)).setAuthTag(
    bytes.subarray(12, 28),
  )
  try {
    return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString()) as Answer<T>
  } catch (error) {
    throw new SheafError('idempotency_mismatch', 'The idempotency key was used with another API key.', { cause: error })
  }
}

function sealingKey(caller: Caller, key: string): Buffer {
  return Buffer.from(hkdfSync('sha256', caller.credential, key, 'sheaf answer', 32))
}
