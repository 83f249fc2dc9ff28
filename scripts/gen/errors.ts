import { ERROR_CATEGORIES, ERROR_CODES, ERRORS } from '../../src/core/index.ts'
import type { ErrorCategory } from '../../src/core/index.ts'
import { generatedFrom, table } from './markdown.ts'

const INTRODUCTION = `# Errors

Every error that people or programs see has a code from this list. Codes are stable.

- **status** is the HTTP status when the error is the answer to a request. The answer is \`application/problem+json\`
  (RFC 9457) with \`code\`, \`category\`, \`detail\`, \`hint\` and \`requestId\`.
- **retries** is how often Sheaf tries a document again by itself after the first attempt.
- **attempt** says whether a failed attempt of this kind uses up one of the document's attempts.
`

function renderCategory(category: ErrorCategory): string {
  const codes = ERROR_CODES.filter((code) => ERRORS[code].category === category)
  const rows = codes.map((code) => {
    const { status, retries, countsAttempt, message, action } = ERRORS[code]
    return [`\`${code}\``, String(status), String(retries), countsAttempt ? 'yes' : 'no', message, action]
  })
  const body =
    rows.length > 0
      ? table(['code', 'status', 'retries', 'attempt', 'what happened', 'what to do'], rows)
      : 'No code yet.'
  return `## ${category}\n\n${body}\n`
}

/** docs/reference/errors.md: all codes, grouped by category in the order of the table in the code. */
export function renderErrors(): string {
  return [generatedFrom('src/core/errors.ts') + INTRODUCTION, ...ERROR_CATEGORIES.map(renderCategory)].join('\n')
}
