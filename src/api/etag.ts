import { SheafError } from '../core/index.ts'

/** The strong entity tag of a version of a batch (RFC 9110, 8.8.3). */
export function etagOf(version: number): string {
  return `"${version}"`
}

/** Versions that an If-Match names; `any` for `*`. */
export type WantedVersions = 'any' | readonly number[]

const LIST = /^(?:W\/)?"[^"]*"(?:\s*,\s*(?:W\/)?"[^"]*")*$/

/**
 * Reads If-Match. Weak and foreign tags match nothing (strong comparison), so they yield an empty list, which is stale.
 * Throws bad_request when it is not a list of entity tags. Null without the field.
 */
export function readIfMatch(field: string | undefined): WantedVersions | null {
  if (field === undefined) return null
  const text = field.trim()
  if (text === '*') return 'any'
  if (!LIST.test(text)) throw new SheafError('bad_request', 'If-Match is not a list of ETags in quotes.')
  return [...text.matchAll(/(W\/)?"([^"]*)"/g)].flatMap(([, weak, tag]) =>
    weak === undefined && /^\d{1,15}$/.test(tag!) ? [Number(tag)] : [],
  )
}

/** As readIfMatch; throws if_match_required when the field is missing. */
export function requireIfMatch(field: string | undefined): WantedVersions {
  const wanted = readIfMatch(field)
  if (wanted === null) throw new SheafError('if_match_required')
  return wanted
}
