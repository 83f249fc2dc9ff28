/** The document information dictionary of a PDF (ISO 32000-1, 14.3.3). */

import { cleanText, collapseSpace } from '../clean-text.ts'
import { withCString } from './open-document.ts'
import type { Pdfium } from './pdfium.ts'

const TAGS = {
  title: 'Title',
  author: 'Author',
  subject: 'Subject',
  keywords: 'Keywords',
  creator: 'Creator',
  producer: 'Producer',
  created: 'CreationDate',
  modified: 'ModDate',
} as const

/** Longest value taken, in bytes of UTF-16. */
const LONGEST = 8_192

/** Values that are there, dates as ISO 8601 where they are well formed. */
export function readMetadata(pdfium: Pdfium, document: number): Record<string, string> {
  const metadata: Record<string, string> = {}
  for (const [name, tag] of Object.entries(TAGS)) {
    const raw = readTag(pdfium, document, tag)
    const value = name === 'created' || name === 'modified' ? isoDate(raw) : raw
    if (value !== '') metadata[name] = value
  }
  return metadata
}

function readTag(pdfium: Pdfium, document: number, tag: string): string {
  const { calls, memory } = pdfium
  return withCString(pdfium, tag, (name) => {
    const size = calls.FPDF_GetMetaText(document, name, 0, 0)
    if (size <= 2) return ''
    const buffer = calls.malloc(size)
    if (buffer === 0) return ''
    calls.FPDF_GetMetaText(document, name, buffer, size)
    const text = Buffer.from(memory.HEAPU8.buffer, buffer, Math.min(size - 2, LONGEST)).toString('utf16le')
    calls.free(buffer)
    return collapseSpace(cleanText(text))
  })
}

/** "D:20240131120000+01'00'" → "2024-01-31T12:00:00+01:00"; other forms stay as they are. */
export function isoDate(value: string): string {
  const parts = /^D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:Z|([+-])(\d\d)'?(\d\d)?'?)?/.exec(value)
  if (!parts) return value
  const [, year, month = '01', day = '01', hour, minute = '00', second = '00', sign, zoneHour, zoneMinute = '00'] =
    parts
  const date = `${year}-${month}-${day}`
  if (hour === undefined) return date
  const zone = sign === undefined ? (value.includes('Z') ? 'Z' : '') : `${sign}${zoneHour}:${zoneMinute}`
  return `${date}T${hour}:${minute}:${second}${zone}`
}
