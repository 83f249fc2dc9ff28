/**
 * Runs every test and ends with the line `N passed, N failed`. Arguments are passed on to vitest.
 * The tests need Chromium and a second PostgreSQL from the system. As root on a machine with apt-get they are
 * installed when they are missing; anybody else is told their names.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')

function hasPostgres() {
  const folder = '/usr/lib/postgresql'
  return existsSync(folder) && readdirSync(folder).some((version) => existsSync(join(folder, version, 'bin/postgres')))
}

function missingPackages() {
  const needed = { chromium: existsSync('/usr/bin/chromium'), postgresql: hasPostgres() }
  return Object.keys(needed).filter((name) => !needed[name])
}

/** Runs apt-get and shows its output only if it fails. */
function aptGet(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const run = spawnSync('apt-get', ['-y', '-q', ...args], { env, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (run.status !== 0) process.stderr.write(`${run.stdout ?? ''}${run.stderr ?? ''}${run.error?.message ?? ''}\n`)
  return run.status === 0
}

function installMissing() {
  const missing = missingPackages()
  if (missing.length === 0) return
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.error(`Installing ${missing.join(' and ')} for the tests (apt-get) …`)
    aptGet('update')
    aptGet('install', '--no-install-recommends', ...missing)
  }
  const stillMissing = missingPackages()
  if (stillMissing.length === 0) return
  console.error(`The tests need these packages, please install them: ${stillMissing.join(' ')}`)
  process.exit(2)
}

/** Numbers of one vitest JSON report. A file that could not even be loaded counts as one failed test. */
function count(report) {
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  return { passed: report.numPassedTests, failed: report.numFailedTests + brokenFiles.length }
}

function runTests() {
  const folder = mkdtempSync(join(tmpdir(), 'sheaf-test-report-'))
  try {
    const file = join(folder, 'report.json')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const run = spawnSync(process.execPath, [vitest, 'run', ...reporters, ...process.argv.slice(2)], {
      cwd: root,
      stdio: 'inherit',
    })
    const { passed, failed } = existsSync(file)
      ? count(JSON.parse(readFileSync(file, 'utf8')))
      : { passed: 0, failed: 0 }
    // vitest also fails on errors outside of any test, which no report counts
    return { passed, failed: run.status !== 0 && failed === 0 ? 1 : failed }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

installMissing()
const { passed, failed } = runTests()
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
