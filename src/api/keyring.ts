import { findKey, type Database } from '../database/index.ts'
import { hashApiKey, isWellFormedKey } from '../core/index.ts'
import type { Caller } from './caller.ts'

/** A revoked key is refused at the latest after this time, also when another process revoked it. */
const TRUSTED_MS = 900
const MOST_TRUSTED = 10_000

export interface Keyring {
  /** Who the key belongs to, null for a key that is not in force. */
  find(key: string): Promise<Caller | null>
  /** Makes this process forget a key at once. */
  forget(hash: Buffer): void
}

/** Looks keys up by their hash; positive answers are trusted for less than a second. */
export function createKeyring(database: Database): Keyring {
  const trusted = new Map<string, { caller: Caller; until: number }>()
  return {
    find: async (key) => {
      if (!isWellFormedKey(key)) return null
      const hash = hashApiKey(key)
      const name = hash.toString('base64')
      const known = trusted.get(name)
      if (known && known.until > performance.now()) return known.caller
      const until = performance.now() + TRUSTED_MS
      const found = await database.asSystem('authenticate', (tx) => findKey(tx, hash))
      trusted.delete(name)
      if (!found) return null
      const caller: Caller = { workspaceId: found.workspaceId, userId: null, keyId: found.id, credential: key }
      if (trusted.size >= MOST_TRUSTED) trusted.clear()
      trusted.set(name, { caller, until })
      return caller
    },
    forget: (hash) => void trusted.delete(hash.toString('base64')),
  }
}
