/** What every client may see unescaped in a quoted string. */
const PLAIN = /[^\x20-\x7e]|["\\%]/g

/**
 * `attachment` with the last part of a path as the name: plain ASCII for old clients, `filename*` (RFC 6266, RFC 8187)
 * for all others.
 */
export function attachment(path: string): string {
  const name = (path.split('/').pop() ?? '').toWellFormed() || 'document'
  // attr-char of RFC 8187 is narrower than what encodeURIComponent leaves alone
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${name.replace(PLAIN, '_')}"; filename*=UTF-8''${encoded}`
}
