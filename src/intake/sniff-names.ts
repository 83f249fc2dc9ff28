/** What the extension of a name claims, and the words for it. The first type of a list is what the extension means. */

const OOXML = 'application/vnd.openxmlformats-officedocument'
const ODF = 'application/vnd.oasis.opendocument'
/** An encrypted Office document is a CFB container with this content, whatever its extension. */
export const ENCRYPTED_OFFICE = 'application/encrypted'
/** A tar file inside gzip; plain gzip is `application/gzip`. Name as in the freedesktop.org MIME database. */
export const TAR_GZIP = 'application/x-compressed-tar'

const CLAIMS: Record<string, readonly string[]> = {
  pdf: ['application/pdf'],
  docx: [`${OOXML}.wordprocessingml.document`, ENCRYPTED_OFFICE],
  xlsx: [`${OOXML}.spreadsheetml.sheet`, ENCRYPTED_OFFICE],
  pptx: [`${OOXML}.presentationml.presentation`, ENCRYPTED_OFFICE],
  docm: ['application/vnd.ms-word.document.macroenabled.12', ENCRYPTED_OFFICE],
  xlsm: ['application/vnd.ms-excel.sheet.macroenabled.12', ENCRYPTED_OFFICE],
  xlsb: ['application/vnd.ms-excel.sheet.binary.macroenabled.12', ENCRYPTED_OFFICE],
  pptm: ['application/vnd.ms-powerpoint.presentation.macroenabled.12', ENCRYPTED_OFFICE],
  doc: ['application/msword'],
  xls: ['application/vnd.ms-excel'],
  ppt: ['application/vnd.ms-powerpoint'],
  msg: ['application/vnd.ms-outlook'],
  odt: [`${ODF}.text`],
  ods: [`${ODF}.spreadsheet`],
  odp: [`${ODF}.presentation`],
  odg: [`${ODF}.graphics`],
  epub: ['application/epub+zip'],
  rtf: ['application/rtf'],
  txt: ['text/plain'],
  text: ['text/plain'],
  log: ['text/plain'],
  md: ['text/markdown'],
  markdown: ['text/markdown'],
  csv: ['text/csv'],
  tsv: ['text/tab-separated-values'],
  tab: ['text/tab-separated-values'],
  json: ['application/json', 'application/x-ndjson'],
  jsonl: ['application/x-ndjson', 'application/json'],
  ndjson: ['application/x-ndjson', 'application/json'],
  html: ['text/html'],
  htm: ['text/html'],
  xhtml: ['text/html'],
  xml: ['application/xml', 'image/svg+xml', 'text/html'],
  svg: ['image/svg+xml'],
  eml: ['message/rfc822'],
  mht: ['message/rfc822'],
  mhtml: ['message/rfc822'],
  mbox: ['application/mbox'],
  zip: ['application/zip'],
  tar: ['application/x-tar'],
  tgz: [TAR_GZIP],
  gz: ['application/gzip', TAR_GZIP],
  png: ['image/png', 'image/apng'],
  jpg: ['image/jpeg'],
  jpeg: ['image/jpeg'],
  gif: ['image/gif'],
  bmp: ['image/bmp'],
  tif: ['image/tiff'],
  tiff: ['image/tiff'],
  webp: ['image/webp'],
  heic: ['image/heic', 'image/heif', 'image/heic-sequence', 'image/heif-sequence'],
  heif: ['image/heif', 'image/heic', 'image/heic-sequence', 'image/heif-sequence'],
  avif: ['image/avif'],
}

const WORDS: Record<string, string> = {
  'application/octet-stream': 'of no known type',
  'application/x-msdownload': 'a Windows program',
  'application/zip': 'a ZIP archive',
  [ENCRYPTED_OFFICE]: 'an encrypted Office document',
}

/** The extension in lower case without the dot; empty where there is none. */
export function extensionOf(name: string): string {
  return /[^/\\.][^/\\]*\.([a-z0-9]{1,10})\s*$/i.exec(name)?.[1]?.toLowerCase() ?? ''
}

/** The type that the name claims by its extension, null where the extension is unknown. */
export function claimedType(name: string): string | null {
  return CLAIMS[extensionOf(name)]?.[0] ?? null
}

/** A sentence when the extension claims another type than the content has, else null. */
export function mismatchOf(name: string, mediaType: string): string | null {
  const claims = CLAIMS[extensionOf(name)]
  if (claims === undefined || claims.includes(mediaType)) return null
  const found = WORDS[mediaType]
  return `The name ends in ".${extensionOf(name)}", but the content is ${found === undefined ? mediaType : `${found} (${mediaType})`}.`
}
