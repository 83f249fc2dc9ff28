/** Which kind of text: markup, mail, data or prose. Every rule looks at a bounded beginning only. */

/** What a text is decided from. `claimed` is the type that the name claims, null where it claims none. */
export interface TextSample {
  text: string
  end: string
  whole: boolean
  claimed: string | null
}

const RULE_CHARACTERS = 16_384
const SOFT = new Set([
  'text/plain',
  'text/markdown',
  'text/csv',
  'text/tab-separated-values',
  'application/json',
  'application/x-ndjson',
])

/**
 * The type of a text. What has a structure at its start (HTML, XML, mail) is decided by content; between plain text,
 * Markdown, CSV and JSON, which can look alike, the name decides if it claims one of them.
 */
export function textType(sample: TextSample): string {
  const text = sample.text
    .replace(/^\uFEFF/, '')
    .trimStart()
    .slice(0, RULE_CHARACTERS)
  const structured = markupType(text, sample) ?? mailType(text, sample.claimed)
  if (structured !== null) return structured
  if (sample.claimed === 'text/html') return 'text/html'
  if (sample.claimed !== null && SOFT.has(sample.claimed)) return sample.claimed
  return jsonType(sample) ?? tableType(text) ?? 'text/plain'
}

const HTML_START = /^(?:<!doctype html|<(?:html|head|body)[\s>])/i
/** Tags that start a piece of HTML (WHATWG MIME Sniffing §7.1, without those that Markdown files start with). */
const HTML_PIECE =
  /^<(?:!doctype html|html|head|body|title|script|style|iframe|h[1-6]|div|font|table|ul|ol|p|a|b|br|img|center)[\s>/]/i

function markupType(text: string, { claimed, end }: TextSample): string | null {
  if (text.startsWith('%!PS')) return 'application/postscript'
  if (!text.startsWith('<')) return null
  const root = rootElement(text)
  if (root === 'svg') return 'image/svg+xml'
  if (HTML_START.test(text) || HTML_START.test(withoutProlog(text)) || root === 'html') return 'text/html'
  if (text.startsWith('<?xml')) return 'application/xml'
  if (claimed !== null && SOFT.has(claimed)) return null
  if (HTML_PIECE.test(withoutProlog(text))) return 'text/html'
  if (claimed === 'application/xml') return 'application/xml'
  return root !== null && claimed !== 'text/html' && end.trimEnd().endsWith(`</${root}>`) ? 'application/xml' : null
}

/** What follows the XML declaration, processing instructions and comments. */
function withoutProlog(text: string): string {
  let rest = text
  for (let skipped = true; skipped;) {
    const next = /^(?:<\?[^>]*\?>|<!--[^]*?-->)\s*/.exec(rest)?.[0] ?? ''
    rest = rest.slice(next.length)
    skipped = next !== ''
  }
  return rest
}

/** The name of the root element without its namespace prefix, as it is written; null where the text starts with none. */
function rootElement(text: string): string | null {
  const rest = withoutProlog(text).replace(/^<!DOCTYPE[^[>]*(?:\[[^\]]*\]\s*)?>\s*/i, '')
  return /^<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)/.exec(withoutProlog(rest))?.[1] ?? null
}

const MAIL_HEADERS = new Set([
  'from',
  'to',
  'cc',
  'bcc',
  'subject',
  'date',
  'sender',
  'reply-to',
  'message-id',
  'received',
  'return-path',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'delivered-to',
  'in-reply-to',
  'references',
  'x-mailer',
  'dkim-signature',
  'thread-topic',
])
const MBOX_START =
  /^From \S[^\n]* (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d(?::\d\d)?[^\n]* \d{4}/

/** A mailbox (RFC 4155) or a message (RFC 5322): a block of header lines, two of them well known, one if the name says mail. */
function mailType(text: string, claimed: string | null): string | null {
  // some mailers save one message with the separator line of a mailbox before it
  if (MBOX_START.test(text)) return claimed === 'message/rfc822' ? claimed : 'application/mbox'
  const known = new Set<string>()
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line.trim() === '') break
    if (/^[ \t]/.test(line)) continue
    const header = /^([!-9;-~]+)[ \t]*:/.exec(line)?.[1]?.toLowerCase()
    if (header === undefined) {
      if (claimed === 'message/rfc822') break
      return null
    }
    if (MAIL_HEADERS.has(header)) known.add(header)
  }
  const enough = claimed === 'message/rfc822' ? 1 : 2
  return known.size >= enough && hasTrace(known, claimed) ? 'message/rfc822' : null
}

/** A memo in plain text starts with "From:", "To:", "Subject:" too; a message has passed through a mailer. */
function hasTrace(known: ReadonlySet<string>, claimed: string | null): boolean {
  if (claimed === 'message/rfc822') return true
  const traces = [
    'message-id',
    'received',
    'return-path',
    'mime-version',
    'delivered-to',
    'content-transfer-encoding',
    'dkim-signature',
  ]
  return traces.some((trace) => known.has(trace))
}

function jsonType({ text, whole }: TextSample): string | null {
  const trimmed = text.replace(/^\uFEFF/, '').trim()
  if (!/^[{[]/.test(trimmed)) return null
  if (whole && isJson(trimmed)) return 'application/json'
  const [first = '', second = ''] = trimmed.split('\n', 2)
  if (second.trim() !== '' && isJson(first) && (isJson(second) || !whole)) return 'application/x-ndjson'
  const begins = /^(?:\{\s*"(?:[^"\\]|\\.){0,200}"\s*:|\[\s*(?:[{["\]\d-]|true|false|null))/.test(trimmed)
  return !whole && begins ? 'application/json' : null
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object'
  } catch {
    return false
  }
}

/** Rows with the same number of separators: three rows of three columns, or six of two. */
function tableType(text: string): string | null {
  const lines = text.split(/\r\n|\r|\n/)
  // the last line may be cut
  const rows = (lines.length > 3 ? lines.slice(0, -1) : lines).filter((line) => line.trim() !== '').slice(0, 20)
  if (rows.length < 3) return null
  for (const [separator, type] of [
    ['\t', 'text/tab-separated-values'],
    [',', 'text/csv'],
    [';', 'text/csv'],
    ['|', 'text/csv'],
  ] as const) {
    const counts = rows.map((row) => row.replaceAll(/"(?:[^"]|"")*"/g, '').split(separator).length)
    if (counts[0]! > (rows.length < 6 ? 2 : 1) && counts.every((count) => count === counts[0])) return type
  }
  return null
}
