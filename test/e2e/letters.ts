import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeZip } from '../support/zip-writer.ts'

const GOLDEN = fileURLToPath(new URL('../golden/sources/', import.meta.url))

/** A folder with one file of each kind: good, damaged, empty, repeated, packed. */
export async function writeLetters(folder: string): Promise<void> {
  const files: Record<string, string | Buffer> = {
    'a.txt': 'The first letter speaks of the harvest.\n',
    'sub/b.md': '# Second\n\nA letter in Markdown.\n',
    'sub/c.html': '<h1>Third</h1><p>A letter in HTML.</p>',
    'numbers.csv': 'name,amount\nAda,12\nBob,30\n',
    'again.txt': 'The first letter speaks of the harvest.\n',
    'empty.txt': '',
    '.hidden.txt': 'A hidden letter is read as well.\n',
    '.DS_Store': 'litter',
    'odd "name" 100% \\ ünï.txt': 'Names are only labels, whatever they hold.\n',
    'packed.zip': writeZip([
      { name: 'inside/d.txt', content: Buffer.from('A packed letter about winter.\n') },
      { name: 'e.md', content: Buffer.from('# Fifth\n\nAnother packed letter.\n') },
    ]),
  }
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  await copyFile(join(GOLDEN, 'rotation.pdf'), join(folder, 'sub/rotation.pdf'))
  await copyFile(join(GOLDEN, 'pdfjs-bug1020226.pdf'), join(folder, 'sub/damaged.pdf'))
}

const IN_ORDER = [
  '.hidden.txt',
  'a.txt',
  'again.txt',
  'empty.txt',
  'numbers.csv',
  'odd "name" 100% \\ ünï.txt',
  'packed.zip',
  'packed.zip/inside/d.txt',
  'packed.zip/e.md',
  'sub/b.md',
  'sub/c.html',
  'sub/damaged.pdf',
  'sub/rotation.pdf',
]
// a backslash parts a path as `/` does, whatever machine it comes from
/** What becomes of them, members of the archive included, in the order of the input. */
export const LABELS = IN_ORDER.map((path) => path.replace(' \\ ', ' / '))

/** The objects of a file of JSON lines. */
export const jsonLines = async (file: string): Promise<Record<string, unknown>[]> =>
  (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

/** Many small letters; returns their names in order. */
export async function manyLetters(folder: string, count: number): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  const names = Array.from({ length: count }, (_, index) => `letter-${String(index).padStart(4, '0')}.txt`)
  await Promise.all(
    names.map((name, index) => writeFile(join(folder, name), `This is letter number ${index} of many letters.\n`)),
  )
  return names
}
