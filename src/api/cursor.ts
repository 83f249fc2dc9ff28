import { createHmac, timingSafeEqual } from 'node:crypto'
import { SheafError } from '../core/index.ts'
import type { Caller } from './caller.ts'

/**
 * Opaque cursors: a place in a list and its signature. The signing key is derived from the caller's own API key, so all
 * API processes agree on it and nothing is stored. A signature is no right: every query is bounded by the workspace
 * anyway; it keeps clients from building cursors, and made-up values from the database.
 */
export function signCursor(caller: Caller, list: string, place: unknown): string {
  const payload = Buffer.from(JSON.stringify(place)).toString('base64url')
  return `${payload}.${sign(caller, list, payload).toString('base64url')}`
}

/** The place a cursor names; throws bad_request unless it was signed for this list and caller. */
export function readCursor<T>(caller: Caller, list: string, cursor: string | undefined): T | undefined {
  if (cursor === undefined) return undefined
  const [payload = '', signature = ''] = cursor.split('.')
  const given = Buffer.from(signature, 'base64url')
  const right = sign(caller, list, payload)
  if (given.length !== right.length || !timingSafeEqual(given, right) || signature !== right.toString('base64url')) {
    throw new SheafError('bad_request', 'The cursor is not one of this list.')
  }
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as T
}

function sign(caller: Caller, list: string, payload: string): Buffer {
  return createHmac('sha256', `cursor of ${caller.credential}`).update(`${list}\n${payload}`).digest().subarray(0, 16)
}
