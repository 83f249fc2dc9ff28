import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../bin/sheaf.js', import.meta.url))

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface RunningSheaf {
  child: ChildProcess
  /** Resolves with the first match in what it has printed so far and will print. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  ended: Promise<Ended>
}

/** Starts the real program, as a person would, with the pinned Node. */
export function startSheaf(args: readonly string[], environment: NodeJS.ProcessEnv = {}): RunningSheaf {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: cleanEnvironment(environment),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }) as Ended)
  const printed = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(stdout) ?? pattern.exec(stderr)
        if (match) resolve(match)
      }
      child.stdout.on('data', look)
      child.stderr.on('data', look)
      void ended.then(() => reject(new Error(`It ended without printing ${pattern}:\n${stdout}${stderr}`)))
      look()
    })
  return { child, printed, ended }
}

/** Runs the program to its end. */
export function sheaf(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return startSheaf(args, environment).ended
}

/** Nothing of the test runner's own settings; a variable is taken away with undefined. */
function cleanEnvironment(more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, LANG } = process.env
  return { PATH, HOME, ...(TMPDIR && { TMPDIR }), ...(LANG && { LANG }), ...more }
}
