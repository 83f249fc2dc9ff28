import { execFileSync } from 'node:child_process'
import { lstatSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Paths of all files of the repository, those not yet committed too, without the ignored ones; `/`-separated. */
export function listFiles(): string[] {
  // another owner of the clone must not make git refuse to list its files
  const args = [
    '-c',
    'safe.directory=*',
    'ls-files',
    '-z',
    '--cached',
    '--others',
    '--exclude-standard',
    '--deduplicate',
  ]
  const output = execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 })
  const isFile = (path: string) => lstatSync(`${ROOT}/${path}`, { throwIfNoEntry: false })?.isFile() ?? false
  return output.split('\0').filter((path) => path !== '' && isFile(path))
}

/** The text of a file, or null when it is binary. */
export function readText(path: string): string | null {
  const bytes = readFileSync(`${ROOT}/${path}`)
  return bytes.includes(0) ? null : bytes.toString('utf8')
}

/** Every place in `text` where `pattern` (global) is found, as `path:line: match`. */
export function findAll(path: string, text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(
    (match) => `${path}:${text.slice(0, match.index).split('\n').length}: ${match[0].trim()}`,
  )
}

/** Test files, the scenarios and helpers beside them included. */
export function isTestSource(path: string): boolean {
  return /\.tsx?$/.test(path) && (/\.test\.tsx?$/.test(path) || path.startsWith('test/'))
}

/** Sources of the product: TypeScript below src/ that is no test. */
export function isProductSource(path: string): boolean {
  return /^src\/.*\.tsx?$/.test(path) && !isTestSource(path)
}
