import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createZstdDecompress, zstdDecompress } from 'node:zlib'
import { promisify } from 'node:util'
import type { Reading, ReadingIssue } from '../../core/index.ts'
import { renderMarkdown, renderText } from '../../parse/index.ts'
import { writeWhole } from '../run/write-whole.ts'

/** Formats of `sheaf parse` and the endings of their files. */
export const PARSE_FORMATS = { markdown: 'md', json: 'json', text: 'txt' } as const
export type ParseFormat = keyof typeof PARSE_FORMATS

export interface WriteOptions {
  format: ParseFormat
  furniture: 'drop' | 'keep'
}

/** Writes a stored reading (JSON, zstd) to `file` in the format asked for. */
export async function writeReading(
  reading: string,
  issues: readonly ReadingIssue[],
  file: string,
  options: WriteOptions,
): Promise<void> {
  // JSON passes through as it is, however large the document
  if (options.format === 'json' && issues.length === 0) {
    return writeWhole(file, createReadStream(reading).pipe(createZstdDecompress()))
  }
  const value = JSON.parse((await promisify(zstdDecompress)(await readFile(reading))).toString()) as Reading
  value.issues.unshift(...issues)
  if (options.format === 'json') return writeWhole(file, [`${JSON.stringify(value)}\n`])
  return writeWhole(file, [options.format === 'markdown' ? renderMarkdown(value, options) : renderText(value, options)])
}
