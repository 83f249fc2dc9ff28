import type { Dirent, Stats } from 'node:fs'
import { lstat, readdir, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'

/** A file to be read. */
export interface InputFile {
  /** The path relative to the folder that was named, parted by `/`; the base name of a file that was named itself. */
  label: string
  /** Absolute; as bytes where the name is not valid UTF-8. */
  file: string | Buffer
  bytes: number
  /** Milliseconds since 1970, with fractions. */
  modifiedMs: number
}

export interface Unreadable {
  label: string
  reason: string
}

export interface Walk {
  files: InputFile[]
  /** Folders that could not be opened, and things that are neither file, folder nor link. */
  unreadable: Unreadable[]
}

/** What file managers and version control leave in folders. */
const LEFT_OUT = new Set(['.DS_Store', '.git'])

/**
 * Finds the files below the inputs: inputs in the order given, inside a folder by path in the order of bytes (C order).
 * A folder that is the only input gives labels relative to itself; of several inputs each keeps its own name in front.
 * Symbolic links are followed only where they are named. `leaveOut` are absolute paths that are not entered.
 * Throws what `stat` throws for an input that is not there.
 */
export async function walkInputs(inputs: readonly string[], leaveOut: readonly string[] = []): Promise<Walk> {
  const walk: Walk = { files: [], unreadable: [] }
  const skipped = new Set(leaveOut.map((path) => Buffer.from(resolve(path)).toString('latin1')))
  for (const input of inputs) {
    const path = resolve(input)
    const found = await stat(path)
    const name = Buffer.from(basename(path))
    if (!found.isDirectory()) {
      addFile(walk, { path: Buffer.from(path), label: name }, found)
      continue
    }
    const inside: Walk = { files: [], unreadable: [] }
    await walkFolder(inside, { path: Buffer.from(path), label: inputs.length === 1 ? Buffer.alloc(0) : name }, skipped)
    walk.files.push(...sorted(inside.files))
    walk.unreadable.push(...inside.unreadable)
  }
  return walk
}

/** Names are bytes here: not every name of a Linux file is valid UTF-8. */
interface Place {
  path: Buffer
  label: Buffer
}

async function walkFolder(walk: Walk, folder: Place, skipped: ReadonlySet<string>): Promise<void> {
  let entries: Dirent<Buffer>[]
  try {
    entries = await readdir(folder.path, { withFileTypes: true, encoding: 'buffer' })
  } catch (error) {
    walk.unreadable.push({
      label: folder.label.toString() || '.',
      reason: (error as NodeJS.ErrnoException).code ?? 'unknown',
    })
    return
  }
  const found: Promise<void>[] = []
  for (const entry of entries) {
    const place = { path: joined(folder.path, entry.name), label: joined(folder.label, entry.name) }
    if (
      LEFT_OUT.has(entry.name.toString('latin1')) ||
      skipped.has(place.path.toString('latin1')) ||
      entry.isSymbolicLink()
    )
      continue
    if (entry.isDirectory()) await walkFolder(walk, place, skipped)
    else found.push(addEntry(walk, place))
  }
  await Promise.all(found)
}

async function addEntry(walk: Walk, place: Place): Promise<void> {
  try {
    addFile(walk, place, await lstat(place.path))
  } catch (error) {
    walk.unreadable.push({ label: place.label.toString(), reason: (error as NodeJS.ErrnoException).code ?? 'unknown' })
  }
}

function addFile(walk: Walk, { path, label }: Place, found: Stats): void {
  if (!found.isFile()) {
    walk.unreadable.push({ label: label.toString(), reason: 'neither a file nor a folder' })
    return
  }
  const name = path.toString()
  const file = Buffer.from(name).equals(path) ? name : path
  walk.files.push({ label: label.toString(), file, bytes: found.size, modifiedMs: found.mtimeMs })
}

function joined(folder: Buffer, name: Buffer): Buffer {
  if (folder.length === 0) return name
  return Buffer.concat(folder.at(-1) === 0x2f ? [folder, name] : [folder, Buffer.from('/'), name])
}

function sorted(files: readonly InputFile[]): InputFile[] {
  const keyed = files.map((file) => ({ file, key: Buffer.from(file.file) }))
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ file }) => file)
}
