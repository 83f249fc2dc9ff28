/**
 * Everything that can be checked without running the tests. Prints one line for each step with its time, and the
 * output of the steps that fail. `npm run check -- lint types` runs only the named steps.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const CONCURRENCY = 2

/** Each step is a program of node_modules/.bin, or a script of this folder, with its arguments. */
const STEPS = {
  'dead code': ['knip', '--no-progress'],
  layers: ['scripts/layers.mjs'],
  types: ['tsc', '-p', 'tsconfig.json'],
  lint: ['oxlint', '--type-aware', '--deny-warnings'],
  format: ['oxfmt', '--check'],
  lockfile: ['scripts/complete-lockfile.mjs', '--check'],
  generated: ['scripts/gen.ts', '--check'],
}

/** Runs one step and resolves with its output; never rejects. */
function run(name, [program, ...args]) {
  const isScript = program.startsWith('scripts/')
  const command = isScript ? process.execPath : join(root, 'node_modules/.bin', program)
  const started = performance.now()
  return new Promise((resolve) => {
    const child = spawn(command, isScript ? [program, ...args] : args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', (error) => (output += error.message))
    child.on('close', (code) =>
      resolve({ name, ok: code === 0, output, seconds: (performance.now() - started) / 1000 }),
    )
  })
}

function report({ name, ok, output, seconds }) {
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(10)} ${seconds.toFixed(1)} s`)
  if (!ok) console.log(`${output.trimEnd()}\n`)
}

function chosenSteps() {
  const names = process.argv.slice(2)
  const unknown = names.filter((name) => !(name in STEPS))
  if (unknown.length > 0) {
    console.error(`There is no step "${unknown[0]}". Steps: ${Object.keys(STEPS).join(', ')}`)
    process.exit(2)
  }
  return Object.entries(STEPS).filter(([name]) => names.length === 0 || names.includes(name))
}

if (!existsSync(join(root, 'node_modules'))) {
  console.error('Nothing is installed yet. Run: npm ci')
  process.exit(2)
}
const waiting = chosenSteps()
let failed = 0
async function work() {
  for (let step = waiting.shift(); step; step = waiting.shift()) {
    const result = await run(...step)
    report(result)
    if (!result.ok) failed += 1
  }
}
await Promise.all(Array.from({ length: CONCURRENCY }, work))
process.exitCode = failed === 0 ? 0 : 1
