import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { extname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { count, printable, size, type Terminal } from '../terminal.ts'
import type { InputFile, Unreadable, Walk } from './walk.ts'

/** What a run would take in; nothing is stored and nothing is started. */
export interface DryRun {
  files: number
  bytes: number
  /** By extension, most frequent first: a guess, because the type is decided by content when a file is read. */
  types: { extension: string; files: number; bytes: number }[]
  /** Groups of files with the same content; all but the first of each would be skipped. */
  duplicates: { sha256: string; paths: string[] }[]
  empty: string[]
  unreadable: Unreadable[]
}

const NAMED = 5

export async function dryRun(walk: Walk): Promise<DryRun> {
  const unreadable = [...walk.unreadable]
  const duplicates = await findDuplicates(
    walk.files.filter((file) => file.bytes > 0),
    unreadable,
  )
  return {
    files: walk.files.length,
    bytes: walk.files.reduce((sum, file) => sum + file.bytes, 0),
    types: countTypes(walk.files),
    duplicates,
    empty: walk.files.filter((file) => file.bytes === 0).map((file) => file.label),
    unreadable,
  }
}

function countTypes(files: readonly InputFile[]): DryRun['types'] {
  const byExtension = Map.groupBy(files, (file) => extname(file.label).slice(1).toLowerCase() || 'none')
  return [...byExtension]
    .map(([extension, group]) => ({
      extension,
      files: group.length,
      bytes: group.reduce((sum, file) => sum + file.bytes, 0),
    }))
    .sort((a, b) => b.files - a.files || (a.extension < b.extension ? -1 : 1))
}

/** Only files of equal size can be equal; only those are read. */
async function findDuplicates(files: readonly InputFile[], unreadable: Unreadable[]): Promise<DryRun['duplicates']> {
  const alike = [...Map.groupBy(files, (file) => file.bytes).values()].filter((group) => group.length > 1)
  const byHash = new Map<string, string[]>()
  for (const file of alike.flat()) {
    try {
      const sha256 = await hashFile(file.file)
      byHash.set(sha256, [...(byHash.get(sha256) ?? []), file.label])
    } catch (error) {
      unreadable.push({ label: file.label, reason: (error as NodeJS.ErrnoException).code ?? 'unknown' })
    }
  }
  return [...byHash].filter(([, paths]) => paths.length > 1).map(([sha256, paths]) => ({ sha256, paths }))
}

/** SHA-256 of a file in hexadecimal. */
export async function hashFile(file: string | Buffer): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash)
  return hash.digest('hex')
}

export function printDryRun(terminal: Terminal, result: DryRun): void {
  terminal.print(`${count(result.files, 'file')}, ${size(result.bytes)}. Nothing was stored.`)
  for (const { extension, files, bytes } of result.types) {
    terminal.print(`  ${extension.padEnd(6)} ${files.toLocaleString('en-US').padStart(7)}  ${size(bytes).padStart(9)}`)
  }
  const repeated = result.duplicates.reduce((sum, { paths }) => sum + paths.length - 1, 0)
  const first = result.duplicates.map(({ paths }) => `${paths[1]} (as ${paths[0]})`)
  printGroup(terminal, repeated, 'repeat the content of another file and would be skipped', first)
  printGroup(terminal, result.empty.length, 'are empty and would be refused', result.empty)
  printGroup(
    terminal,
    result.unreadable.length,
    'cannot be read',
    result.unreadable.map(({ label, reason }) => `${label} (${reason})`),
  )
}

function printGroup(terminal: Terminal, total: number, what: string, examples: readonly string[]): void {
  if (total === 0) return
  terminal.print(`${total.toLocaleString('en-US')} ${what}:`)
  for (const example of examples.slice(0, NAMED)) terminal.print(`  ${printable(example)}`)
  if (examples.length > NAMED) terminal.print('  …')
}
