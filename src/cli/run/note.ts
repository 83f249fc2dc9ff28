import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileKey } from '../client/upload.ts'
import { writeWhole } from './write-whole.ts'
import type { InputFile } from './walk.ts'

/** Left in the output folder, so that the same command finds its batch again. */
export interface RunNote {
  batchId: string
  name: string
  /** What was asked for: changes when a file of the input or the pipeline changes. */
  input: string
}

const notePath = (out: string): string => join(out, '.sheaf-run.json')

/** The note of an earlier run, null when there is none that can be read. */
export async function readNote(out: string): Promise<RunNote | null> {
  try {
    const note = JSON.parse(await readFile(notePath(out), 'utf8')) as Partial<RunNote> | null
    const { batchId, name, input } = note ?? {}
    return typeof batchId === 'string' && typeof name === 'string' && typeof input === 'string'
      ? { batchId, name, input }
      : null
  } catch {
    return null
  }
}

export function writeNote(out: string, note: RunNote): Promise<void> {
  return writeWhole(notePath(out), [`${JSON.stringify(note)}\n`])
}

/** One hash over the names, places, sizes and times of all files and the pipeline. */
export function describeInput(files: readonly InputFile[], pipeline: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify(pipeline ?? null))
  for (const file of files) hash.update(`\n${fileKey(file)}`)
  return hash.digest('hex')
}
