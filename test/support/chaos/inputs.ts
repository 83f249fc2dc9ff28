import { createHash } from 'node:crypto'
import { writeZip } from '../zip-writer.ts'

export interface InputFile {
  path: string
  content: Buffer
}

/** The same files for every seed, so that one undisturbed run tells what all others must yield. */
export function chaosInputs(): InputFile[] {
  const text = (path: string, words: string): InputFile => ({ path, content: Buffer.from(words) })
  const members = Array.from({ length: 6 }, (_, i) => ({
    name: `member-${i}.txt`,
    content: Buffer.from(`Member number ${i} of the archive.\n`.repeat(20)),
  }))
  return [
    ...Array.from({ length: 14 }, (_, i) =>
      text(`texts/note-${i}.txt`, `Note ${i}. ${'The harbour bakery sold rye bread. '.repeat(5 + i * 40)}`),
    ),
    ...Array.from({ length: 4 }, (_, i) =>
      text(`pages/page-${i}.html`, `<h1>Page ${i}</h1>${'<p>Some paragraph of text.</p>'.repeat(30)}`),
    ),
    text('tables/prices.csv', 'name,price\nrye,3.20\nwheat,2.90\n'),
    text('texts/note-0-again.txt', `Note 0. ${'The harbour bakery sold rye bread. '.repeat(5)}`),
    text('broken/not-a.pdf', '%PDF-1.7 that ends at once'),
    { path: 'broken/unknown.bin', content: Buffer.from([0, 159, 146, 150, 7, 7, 0, 1]) },
    text('broken/empty.txt', ''),
    {
      path: 'packed.zip',
      content: writeZip([
        ...members,
        {
          name: 'inner.zip',
          content: writeZip(
            members.slice(0, 2).map((member) => ({ ...member, content: Buffer.from(`inner ${member.name}`) })),
          ),
        },
      ]),
    },
  ]
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
