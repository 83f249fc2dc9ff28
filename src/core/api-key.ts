import { createHash, randomBytes } from 'node:crypto'

/**
 * API keys: `shf_`, 256 random bits in base64url, and six characters of the SHA-256 of that text, so that a typing error
 * is seen without the database. Only the SHA-256 of the whole key is stored; 256 random bits need no slow hash.
 */
const KEY = /^shf_([A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})$/

export function makeApiKey(): string {
  const secret = randomBytes(32).toString('base64url')
  return `shf_${secret}${checksum(secret)}`
}

export function isWellFormedKey(key: string): boolean {
  const match = KEY.exec(key)
  return match !== null && match[2] === checksum(match[1]!)
}

export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

function checksum(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url').slice(0, 6)
}
