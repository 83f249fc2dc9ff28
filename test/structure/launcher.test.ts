import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT } from './repository-files.ts'

const COMMAND_LINE = `
const [what] = process.argv.slice(2)
if (what === 'wait') {
  process.on('SIGINT', () => process.exit(130))
  setInterval(() => {}, 1000)
}
console.log(what, process.env['SHEAF_LAUNCHER'] ?? 'direct', process.argv.length)
if (what === 'echo') process.stdin.pipe(process.stdout)
if (what === 'exit') process.exit(75)
`

/** Ends a chain of processes that start each other, whatever the launcher does. */
const BOUNDED = `
const depth = Number(process.env['TEST_DEPTH'] ?? 0) + 1
if (depth > 3) process.exit(99)
process.env['TEST_DEPTH'] = String(depth)
`
const CLAIM = `Object.defineProperty(process.versions, 'node', { value: '20.1.0' })\n`
/** Makes only the first process believe that it is an old Node, or every one of them. */
const PRELOADS = {
  'old-node.mjs': `${BOUNDED}if (depth === 1) ${CLAIM}`,
  'old-nodes.mjs': `${BOUNDED}${CLAIM}`,
}

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sheaf-launcher-'))
  cpSync(join(ROOT, 'bin'), join(folder, 'bin'), { recursive: true })
  mkdirSync(join(folder, 'src/cli'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'src/cli/main.ts'), COMMAND_LINE)
  for (const [name, source] of Object.entries(PRELOADS)) writeFileSync(join(folder, name), source)
  mkdirSync(join(folder, 'node_modules/node/bin'), { recursive: true })
  symlinkSync(process.execPath, join(folder, 'node_modules/node/bin/node'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function launch(
  what: string,
  options: { isOld: boolean; from?: string; preload?: keyof typeof PRELOADS },
): ChildProcessWithoutNullStreams {
  const home = options.from ?? folder
  const preload = options.isOld ? ['--import', join(folder, options.preload ?? 'old-node.mjs')] : []
  return spawn(process.execPath, [...preload, join(home, 'bin/sheaf.js'), what])
}

/** Resolves with what the whole tree of processes printed, when all of them have closed it, and the first one's end. */
async function outcome(child: ChildProcessWithoutNullStreams) {
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.on('exit', (code, signal) => resolve(code ?? signal)),
  )
  const [end, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { end, stdout, stderr }
}

async function firstOutput(child: ChildProcessWithoutNullStreams): Promise<void> {
  await new Promise((resolve) => child.stdout.once('readable', resolve))
}

test.each([true, false])('passes arguments, input and the exit code (old Node: %s)', async (isOld) => {
  expect(await outcome(launch('exit', { isOld }))).toEqual({ end: 75, stdout: 'exit direct 3\n', stderr: '' })
  const echo = launch('echo', { isOld })
  echo.stdin.end('some input')
  expect(await outcome(echo)).toEqual({ end: 0, stdout: 'echo direct 3\nsome input', stderr: '' })
})

test('on an old Node forwards a signal and returns the exit code of its answer', async () => {
  const child = launch('wait', { isOld: true })
  await firstOutput(child)
  child.kill('SIGINT')
  expect((await outcome(child)).end).toBe(130)
})

test('on an old Node dies of the signal that killed the command', async () => {
  const child = launch('wait', { isOld: true })
  await firstOutput(child)
  child.kill('SIGTERM')
  expect((await outcome(child)).end).toBe('SIGTERM')
})

test('leaves no command behind when the launcher is killed', async () => {
  const child = launch('wait', { isOld: true })
  await firstOutput(child)
  child.kill('SIGKILL')
  // resolves only when the command, which holds the other end of stdout, is gone too
  expect((await outcome(child)).end).toBe('SIGKILL')
})

test('says in one line which Node is needed when there is no pinned one', async () => {
  const bare = join(folder, 'bare')
  cpSync(join(folder, 'bin'), join(bare, 'bin'), { recursive: true })
  expect(await outcome(launch('exit', { isOld: true, from: bare }))).toEqual({
    end: 2,
    stdout: '',
    stderr: 'Sheaf needs Node 22.18 or newer; this is Node 20.1.0.\n',
  })
})

test('says the same when the pinned Node is too old as well, instead of starting it for ever', async () => {
  const { end, stderr } = await outcome(launch('exit', { isOld: true, preload: 'old-nodes.mjs' }))
  expect({ end, stderr }).toEqual({ end: 2, stderr: 'Sheaf needs Node 22.18 or newer; this is Node 20.1.0.\n' })
})

test('starts dist/ where there are no sources', async () => {
  const installed = join(folder, 'installed')
  cpSync(join(folder, 'bin'), join(installed, 'bin'), { recursive: true })
  mkdirSync(join(installed, 'dist/cli'), { recursive: true })
  writeFileSync(join(installed, 'dist/cli/main.js'), 'console.log("from dist")')
  expect((await outcome(launch('any', { isOld: false, from: installed }))).stdout).toBe('from dist\n')
})
