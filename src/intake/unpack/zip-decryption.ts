import { createCipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { SheafError } from '../../core/index.ts'

type Bytes = AsyncIterable<Uint8Array>

/** How the content of one encrypted member is read with one password. */
export interface ZipDecryption {
  /** Bytes before and behind the encrypted content. */
  headerBytes: number
  trailerBytes: number
  /** The compression method of what comes out. */
  method: number
  /** False where the format gives no checksum of the content but its own (AE-2). */
  hasCrc: boolean
  /** False where a wrong password passes the short check often enough to count with. */
  isCertain: boolean
  decrypt(content: Bytes, trailer: Uint8Array): Bytes
}

/** The strength byte of the AES field → bytes of key and salt (AE-x specification, "Encryption strength"). */
const AES_STRENGTHS: Record<number, { key: number; salt: number }> = {
  1: { key: 16, salt: 8 },
  2: { key: 24, salt: 12 },
  3: { key: 32, salt: 16 },
}
const VERIFIER_BYTES = 2
const AES_TRAILER_BYTES = 10

/** How many bytes of a member are needed to see whether a password fits. */
export const ENCRYPTION_HEADER_BYTES = 18

/**
 * Opens an AES member (WinZip AE-1 and AE-2: PBKDF2-SHA1 with 1,000 rounds, AES-CTR with a little-endian counter from
 * 1, HMAC-SHA1 cut to 10 bytes). Null when the password does not fit; throws bad_zip for a field that makes no sense.
 */
export function openAes(field: Buffer, header: Buffer, password: string): ZipDecryption | null {
  const sizes = field.length >= 7 ? AES_STRENGTHS[field[4]!] : undefined
  if (sizes === undefined) throw new SheafError('bad_zip', 'the member is encrypted in an unknown way')
  const keys = pbkdf2Sync(password, header.subarray(0, sizes.salt), 1000, 2 * sizes.key + VERIFIER_BYTES, 'sha1')
  const verifier = header.subarray(sizes.salt, sizes.salt + VERIFIER_BYTES)
  if (!keys.subarray(2 * sizes.key).equals(verifier)) return null
  return {
    headerBytes: sizes.salt + VERIFIER_BYTES,
    trailerBytes: AES_TRAILER_BYTES,
    method: field.readUInt16LE(5),
    hasCrc: field.readUInt16LE(0) === 1,
    isCertain: true,
    decrypt: (content, trailer) =>
      decryptAes(content, keys.subarray(0, sizes.key), keys.subarray(sizes.key, 2 * sizes.key), trailer),
  }
}

async function* decryptAes(content: Bytes, key: Buffer, macKey: Buffer, trailer: Uint8Array): Bytes {
  const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false)
  const mac = createHmac('sha1', macKey)
  let counter = 0
  let stream: Buffer = Buffer.alloc(0)
  for await (const chunk of content) {
    mac.update(chunk)
    const missing = Math.ceil((chunk.length - stream.length) / 16)
    if (missing > 0) {
      stream = Buffer.concat([stream, cipher.update(counters(counter, missing))])
      counter += missing
    }
    const clear = Buffer.allocUnsafe(chunk.length)
    for (let at = 0; at < chunk.length; at += 1) clear[at] = chunk[at]! ^ stream[at]!
    stream = stream.subarray(chunk.length)
    yield clear
  }
  if (timingSafeEqual(mac.digest().subarray(0, AES_TRAILER_BYTES), trailer)) return
  throw new SheafError('bad_zip', 'the member is damaged: its authentication code is wrong')
}

/** Counter blocks `first + 1 …`, little-endian; members are limited to less than 2^48 blocks. */
function counters(first: number, count: number): Buffer {
  const blocks = Buffer.alloc(count * 16)
  for (let at = 0; at < count; at += 1) blocks.writeUIntLE(first + at + 1, at * 16, 6)
  return blocks
}

const TRADITIONAL_HEADER_BYTES = 12

/** Opens a member with traditional PKWARE encryption (APPNOTE 6.1); a wrong password passes once in 256 times. */
export function openTraditional(
  method: number,
  checkByte: number,
  header: Buffer,
  password: string,
): ZipDecryption | null {
  const keys = traditionalKeys(password)
  const clear = decryptTraditional(keys, header.subarray(0, TRADITIONAL_HEADER_BYTES))
  if (clear[TRADITIONAL_HEADER_BYTES - 1] !== (checkByte & 0xff)) return null
  return {
    headerBytes: TRADITIONAL_HEADER_BYTES,
    trailerBytes: 0,
    method,
    hasCrc: true,
    isCertain: false,
    async *decrypt(content) {
      const running = Uint32Array.from(keys)
      for await (const chunk of content) yield decryptTraditional(running, chunk)
    },
  }
}

/** The table of the CRC-32: what one byte makes of an empty register; zlib inverts it before and after. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => ~crc32(Uint8Array.of(byte), 0xffffffff))

function traditionalKeys(password: string): Uint32Array {
  const keys = Uint32Array.of(0x12345678, 0x23456789, 0x34567890)
  for (const byte of Buffer.from(password)) updateKeys(keys, byte)
  return keys
}

function updateKeys(keys: Uint32Array, byte: number): void {
  keys[0] = CRC_TABLE[(keys[0]! ^ byte) & 0xff]! ^ (keys[0]! >>> 8)
  keys[1] = Math.imul(keys[1]! + (keys[0]! & 0xff), 134_775_813) + 1
  keys[2] = CRC_TABLE[(keys[2]! ^ (keys[1]! >>> 24)) & 0xff]! ^ (keys[2]! >>> 8)
}

/** Decrypts a piece and moves the keys on. */
function decryptTraditional(keys: Uint32Array, content: Uint8Array): Buffer {
  const clear = Buffer.allocUnsafe(content.length)
  for (let at = 0; at < content.length; at += 1) {
    const mixed = (keys[2]! | 2) & 0xffff
    clear[at] = content[at]! ^ (Math.imul(mixed, mixed ^ 1) >>> 8)
    updateKeys(keys, clear[at]!)
  }
  return clear
}
