import { crc32, deflateRawSync } from 'node:zlib'

/** One entry of a ZIP file that a test wants; everything that is not given is as a good writer would do it. */
export interface ZipEntryPlan {
  /** Bytes of the name as they shall stand in the file. */
  name: string | Buffer
  content?: Buffer
  /** Deflate instead of store. */
  deflate?: boolean
  /** Content as it shall stand in the file, for bombs that were deflated elsewhere. */
  raw?: { method: number; bytes: Buffer }
  /** Put into the headers instead of the truth. */
  declared?: { bytes?: number; compressedBytes?: number; crc32?: number; method?: number }
  /** Upper 16 bits of the external attributes, e.g. 0o120777 for a symbolic link. */
  unixMode?: number
  flags?: number
  extra?: Buffer
  /** Offset of the local header as the directory says it; makes entries overlap. */
  offset?: number
}

interface Written {
  local: Buffer
  central: Buffer
}

/**
 * Writes a ZIP file for tests (APPNOTE 6.3.10, without ZIP64). `entryCount` replaces the count in the end record.
 */
export function writeZip(
  entries: readonly ZipEntryPlan[],
  options: { entryCount?: number; comment?: Buffer } = {},
): Buffer {
  const locals: Buffer[] = []
  const centrals: Buffer[] = []
  let offset = 0
  for (const entry of entries) {
    const { local, central } = writeEntry(entry, entry.offset ?? offset)
    locals.push(local)
    centrals.push(central)
    offset += local.length
  }
  const directory = Buffer.concat(centrals)
  const comment = options.comment ?? Buffer.alloc(0)
  const count = options.entryCount ?? entries.length
  const end = record(
    ['4s', 'PK\x05\x06'],
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, directory.length],
    [4, offset],
    [2, comment.length],
  )
  return Buffer.concat([...locals, directory, end, comment])
}

function writeEntry(entry: ZipEntryPlan, offset: number): Written {
  const { content = Buffer.alloc(0), extra = Buffer.alloc(0), flags = 0x800, unixMode } = entry
  const { method, bytes } = entry.raw ?? pack(content, entry.deflate ?? false)
  const declared = {
    method,
    crc32: crc32(content),
    compressedBytes: bytes.length,
    bytes: content.length,
    ...entry.declared,
  }
  const name = Buffer.from(entry.name as string)
  const fields: Field[] = [
    [2, 20],
    [2, flags],
    [2, declared.method],
    [2, 0],
    [2, 0x21],
    [4, declared.crc32],
    [4, declared.compressedBytes],
    [4, declared.bytes],
    [2, name.length],
    [2, extra.length],
  ]
  // made by version 2.0 of MS-DOS (0), or of Unix (3) where there is a mode
  const madeBy = unixMode === undefined ? 20 : (3 << 8) | 20
  const attributes = ((unixMode ?? 0) << 16) >>> 0
  return {
    local: Buffer.concat([record(['4s', 'PK\x03\x04'], ...fields), name, extra, bytes]),
    central: Buffer.concat([
      record(['4s', 'PK\x01\x02'], [2, madeBy], ...fields, [2, 0], [2, 0], [2, 0], [4, attributes], [4, offset]),
      name,
      extra,
    ]),
  }
}

function pack(content: Buffer, deflate: boolean): { method: number; bytes: Buffer } {
  return deflate ? { method: 8, bytes: deflateRawSync(content) } : { method: 0, bytes: content }
}

type Field = [2 | 4, number] | ['4s', string]

function record(...fields: Field[]): Buffer {
  return Buffer.concat(
    fields.map((field) => {
      if (field[0] === '4s') return Buffer.from(field[1], 'latin1')
      const bytes = Buffer.alloc(field[0])
      bytes.writeUIntLE(field[1] >>> 0, 0, field[0])
      return bytes
    }),
  )
}
