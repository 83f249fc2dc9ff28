#!/usr/bin/env node
// Plain JavaScript, so that any Node can read it. It finds a Node that is new enough, then starts the command line.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const MINIMUM = [22, 18]

const [major, minor] = process.versions.node.split('.').map(Number)
const isNewEnough = major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])

if (isNewEnough) await start()
else await startAgain(fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url)))

async function start() {
  endWithLauncher()
  const { enableCompileCache } = await import('node:module')
  enableCompileCache()
  const source = new URL('../src/cli/main.ts', import.meta.url)
  // Node runs no TypeScript below node_modules: an installed package holds dist/ and no src/.
  await import(existsSync(source) ? source.href : new URL('../dist/cli/main.js', import.meta.url).href)
}

/** Runs this file with the pinned Node: same arguments, same terminal, same exit code. */
async function startAgain(node) {
  // Started by a launcher and still too old: the pinned Node is none. Starting it again would never end.
  if (!existsSync(node) || process.env.SHEAF_LAUNCHER) {
    process.stderr.write(`Sheaf needs Node ${MINIMUM.join('.')} or newer; this is Node ${process.versions.node}.\n`)
    process.exit(2)
  }
  const { spawn } = await import('node:child_process')
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, SHEAF_LAUNCHER: String(process.pid) },
  })
  forwardSignals(child)
  child.on('error', (error) => {
    process.stderr.write(`${node} does not start: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/** A terminal sends Ctrl-C and Ctrl-\ to both processes by itself; a second one would mean "at once" to the command. */
function forwardSignals(child) {
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) {
    const isFromTerminal = hasTerminal && (signal === 'SIGINT' || signal === 'SIGQUIT')
    process.on(signal, () => isFromTerminal || child.kill(signal))
  }
}

/** When the launcher is killed without a chance to forward anything, the command dies the same death. */
function endWithLauncher() {
  const launcher = process.env.SHEAF_LAUNCHER
  delete process.env.SHEAF_LAUNCHER
  if (!process.channel || launcher !== String(process.ppid)) return
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.channel.unref()
}
