import { createHash } from 'node:crypto'
import { join } from 'node:path'

/** Names longer than this many bytes are shortened; file systems take 255, and endings come behind. */
const LONGEST_NAME = 230

/**
 * Gives every document a place of its own below `out`: `a/b.pdf` → `out/a/b.pdf.md`. Two documents with the same path
 * (an archive can hold a name twice) get ` (2)`, ` (3)`, … in the order in which they ask.
 */
export function outputPaths(out: string, extension: string): (path: string) => string {
  const taken = new Set<string>()
  return (path) => {
    const place = path.split('/').map(shortened).join('/')
    for (let number = 1; ; number++) {
      const name = `${place}${number === 1 ? '' : ` (${number})`}.${extension}`
      if (taken.has(name)) continue
      taken.add(name)
      return join(out, name)
    }
  }
}

/** A name that fits a file system; what was cut off lives on in a hash. */
function shortened(name: string): string {
  if (Buffer.byteLength(name) <= LONGEST_NAME) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8)
  const cut = Buffer.from(name)
    .subarray(0, LONGEST_NAME - 9)
    .toString()
    .replace(/\uFFFD+$/, '')
  return `${cut}~${hash}`
}
