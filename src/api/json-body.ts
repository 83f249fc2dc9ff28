import { SheafError } from '../core/index.ts'
import type { Api } from './services.ts'

export const MOST_JSON_BYTES = 1024 * 1024
const DEEPEST = 64

/** JSON bodies: at most 1 MB (the framework sees to that), at most 64 levels deep, no `__proto__`, empty means none. */
export function registerJsonBody(app: Api): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit: MOST_JSON_BYTES },
    (request, body, done) => {
      const text = body as string
      if (text.trim() === '') return done(null, undefined)
      if (isTooDeep(text))
        return done(new SheafError('bad_request', `The JSON is nested more than ${DEEPEST} levels deep.`))
      return parse(request, text, done)
    },
  )
}

/** Counts brackets outside strings; cheaper than parsing, and nothing is built for a hostile body. */
export function isTooDeep(json: string, deepest: number = DEEPEST): boolean {
  let depth = 0
  let isText = false
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i)
    if (isText) {
      if (code === 0x5c) i++
      else if (code === 0x22) isText = false
    } else if (code === 0x22) isText = true
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > deepest) return true
    } else if (code === 0x7d || code === 0x5d) depth--
  }
  return false
}
