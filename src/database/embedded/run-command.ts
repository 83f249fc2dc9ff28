import { spawn } from 'node:child_process'
import { commandEnvironment } from './environment.ts'

/** Another identity for a process; empty for our own. */
export interface Identity {
  uid?: number
  gid?: number
}

export interface CommandResult {
  /** Exit code; 127 where the program could not be started at all, 128 + n for a signal. */
  code: number
  stdout: string
  stderr: string
}

const OUTPUT_LIMIT = 64 * 1024

/** Runs a short command to its end in `/`; `inherit` is a descriptor that it gets as number 3. Never rejects. */
export function runCommand(
  argv: readonly string[],
  options: Identity & { inherit?: number } = {},
): Promise<CommandResult> {
  const { inherit, ...identity } = options
  const [program = '', ...rest] = argv
  return new Promise((resolve) => {
    const output = { stdout: '', stderr: '' }
    const child = spawn(program, rest, {
      cwd: '/',
      env: commandEnvironment,
      stdio: ['ignore', 'pipe', 'pipe', inherit ?? 'ignore'],
      ...identity,
    })
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        output[name] = (output[name] + text).slice(-OUTPUT_LIMIT)
      })
    }
    child.on('error', (error) => resolve({ code: 127, stdout: '', stderr: error.message }))
    child.on('close', (code) => resolve({ code: code ?? 128, ...output }))
  })
}
