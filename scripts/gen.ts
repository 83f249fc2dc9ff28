/**
 * Writes the documents that are generated from the code; with `--check` it writes nothing and fails when one is not
 * current. To generate another file, add a line to GENERATED.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { openapiDocument } from '../src/api/index.ts'
import { renderErrors } from './gen/errors.ts'
import { renderFailpoints } from './gen/failpoints.ts'
import { renderJobStates } from './gen/job-states.ts'

interface GeneratedFile {
  /** Path from the root of the repository. */
  file: string
  render: () => string | Promise<string>
}

const GENERATED: GeneratedFile[] = [
  { file: 'docs/reference/errors.md', render: renderErrors },
  { file: 'docs/reference/job-states.md', render: renderJobStates },
  { file: 'docs/reference/failpoints.md', render: renderFailpoints },
  { file: 'docs/reference/openapi.json', render: async () => `${JSON.stringify(await openapiDocument(), null, 2)}\n` },
]

const root = new URL('..', import.meta.url)

/** Brings one file up to date, or only looks; returns whether it was current. */
async function isCurrent({ file, render }: GeneratedFile, isCheck: boolean): Promise<boolean> {
  const path = new URL(file, root)
  const [wanted, present] = [await render(), await readFile(path, 'utf8').catch(() => null)]
  if (wanted === present) return true
  if (!isCheck) {
    await mkdir(dirname(path.pathname), { recursive: true })
    await writeFile(path, wanted)
    console.log(`wrote ${file}`)
  }
  return false
}

const isCheck = process.argv.includes('--check')
const stale: string[] = []
for (const entry of GENERATED) {
  if (!(await isCurrent(entry, isCheck))) stale.push(entry.file)
}
if (isCheck && stale.length > 0) {
  console.error(`Not current: ${stale.join(', ')}. Run: npm run gen`)
  process.exitCode = 1
}
