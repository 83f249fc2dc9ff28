/**
 * Checks the imports of src/ against layers.json with dependency-cruiser. A cruiser that cannot read TypeScript finds
 * nothing and reports nothing, so this also fails when it looked at fewer modules than there are files.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')

function sourceFiles() {
  return readdirSync(join(root, 'src'), { recursive: true })
    .map((path) => `src/${path.replaceAll('\\', '/')}`)
    .filter((path) => /\.tsx?$/.test(path))
}

/** Folders of src/ that layers.json does not know; no rule would hold for them. */
function unknownFolders() {
  const layers = JSON.parse(readFileSync(join(root, 'layers.json'), 'utf8'))
  const entries = readdirSync(join(root, 'src'), { withFileTypes: true })
  return entries.map((entry) => entry.name).filter((name) => !(name in layers))
}

function cruise() {
  const run = spawnSync(process.execPath, [cruiser, 'src', '--output-type', 'json'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  try {
    return JSON.parse(run.stdout)
  } catch {
    console.error(`dependency-cruiser failed:\n${run.stdout}${run.stderr}`)
    process.exit(1)
  }
}

const result = cruise()
const cruised = new Set(result.modules.map((module) => module.source))
const unseen = sourceFiles().filter((file) => !cruised.has(file))
const imports = result.modules.reduce((sum, module) => sum + module.dependencies.length, 0)
const problems = [
  ...result.summary.violations.map(({ rule, from, to, cycle }) => {
    const path = cycle ? cycle.map((step) => step.name ?? step).join(' → ') : to
    return `${rule.name}: ${from} → ${path}`
  }),
  ...unknownFolders().map((name) => `not in layers.json: src/${name}`),
  ...unseen.map((file) => `not looked at: ${file}`),
  ...(imports === 0 ? ['no import was found at all: the parser does not read TypeScript'] : []),
]
if (problems.length > 0) {
  console.error(problems.join('\n'))
  process.exit(1)
}
console.log(`${cruised.size} modules, ${imports} imports`)
