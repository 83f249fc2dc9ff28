/**
 * Installs the dependencies when they are not the ones package-lock.json names, and does nothing otherwise.
 * It runs before every npm script, on whatever Node the machine has: plain JavaScript, Node 18 or newer, no imports
 * from node_modules. Everything it prints goes to stderr, because the command that follows owns stdout.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const modules = join(root, 'node_modules')
const note = join(modules, '.sheaf-install')
const pinnedNode = join(modules, 'node', 'bin', 'node')

const lockfile = readFileSync(join(root, 'package-lock.json'), 'utf8')
const wanted = createHash('sha256').update(lockfile).digest('hex')

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Whether npm's own record of what it installed, written when it was done, agrees with the lockfile. */
function isInstalledByHand() {
  const record = read(join(modules, '.package-lock.json'))
  if (record === '') return false
  const installed = JSON.parse(record).packages
  return Object.entries(JSON.parse(lockfile).packages).every(([path, entry]) => {
    if (path === '' || entry.link) return true
    return installed[path] ? installed[path].version === entry.version : entry.optional === true
  })
}

/**
 * The environment for npm: without the folders `npm run` put in front of PATH, because the Node found there is about
 * to be deleted, and without what `npm run` says about the script that is running.
 */
function environment() {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^npm_(lifecycle|package|command|execpath|node)/.test(name),
  )
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'))
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter) }
}

function install() {
  process.stderr.write('Installing the dependencies (npm ci); this happens once per package-lock.json …\n')
  const npm = spawnSync('npm', ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'], {
    cwd: root,
    env: environment(),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (npm.status === 0) return
  process.stderr.write(`${npm.stdout ?? ''}${npm.stderr ?? ''}`)
  process.stderr.write(`npm ci failed${npm.error ? `: ${npm.error.message}` : ''}. Nothing was started.\n`)
  process.exit(1)
}

const isNoted = read(note).trim() === wanted
if (!(existsSync(pinnedNode) && (isNoted || isInstalledByHand()))) install()
if (!existsSync(pinnedNode)) {
  process.stderr.write(
    'The package "node" has no binary: its install script did not run. See "allowScripts" in package.json.\n',
  )
  process.exit(1)
}
if (read(note).trim() !== wanted) writeFileSync(note, `${wanted}\n`)
