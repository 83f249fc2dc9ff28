import { spawn, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { constants } from 'node:os'
import { commandEnvironment } from './environment.ts'
import type { Runner } from './runner.ts'

/**
 * The small shell between Sheaf and PostgreSQL. Descriptor 3 is a pipe from Sheaf on which nothing is ever written:
 * it ends when Sheaf lets go of it or dies, however it dies, and then the shell stops PostgreSQL, ever more roughly.
 * Descriptor 4 is the server lock, which PostgreSQL alone keeps.
 */
const STOP = `stop() {
  for signal in INT QUIT KILL; do
    kill -s "$signal" "$1" 2>/dev/null || return 0
    n=0
    while [ "$n" -lt 80 ]; do kill -0 "$1" 2>/dev/null || return 0; sleep 0.05; n=$((n+1)); done
  done
}
trap '' HUP INT TERM
`

/** Starts PostgreSQL as a child, so that its end is seen at once and its number cannot be given away before. */
const START = `${STOP}"$@" 3<&- &
postmaster=$!
( exec 4<&-; read -r _ <&3; stop "$postmaster" ) &
reader=$!
exec 3<&- 4<&-
wait "$postmaster"
code=$?
kill -s KILL "$reader" 2>/dev/null
exit "$code"
`

/** Stands in for the shell of a PostgreSQL that lives on without one. */
const ADOPT = `${STOP}read -r _ <&3; stop "$1"
`

export interface Outcome {
  code: number | null
  signal: string | null
}

export interface Watcher {
  pid: number
  /** The shell's end: for one that started PostgreSQL also the end of PostgreSQL, with how it ended. */
  ended: Promise<Outcome>
  hasEnded(): boolean
  /** Closes the pipe: fast shutdown, after 4 s immediate, after 8 s SIGKILL. */
  close(): void
}

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]))

/** A shell reports a child that died of signal n as 128 + n. */
function readOutcome(code: number | null, signal: string | null): Outcome {
  const name = code === null ? signal : SIGNAL_NAMES.get(code - 128)
  return name === undefined || name === null ? { code, signal: null } : { code: null, signal: name }
}

interface WatcherOptions {
  runner: Runner
  /** Descriptor of the log for what PostgreSQL says. */
  log: number
  lock?: number
}

function spawnShell(script: string, words: readonly string[], { runner, log, lock }: WatcherOptions): ChildProcess {
  return spawn('/bin/sh', ['-c', script, 'sheaf-postgres', ...words], {
    cwd: '/',
    env: commandEnvironment,
    // a session of its own: Ctrl-C in a terminal reaches Sheaf, which lets running work end first
    detached: true,
    stdio: ['ignore', log, log, 'pipe', lock ?? 'ignore'],
    ...runner.identity,
  })
}

function watch(child: ChildProcess): Watcher {
  const pipe = child.stdio[3] as Socket
  const ended = new Promise<Outcome>((resolve) => {
    child.once('error', () => resolve({ code: 127, signal: null }))
    child.once('exit', (code, signal) => resolve(readOutcome(code, signal)))
  })
  let over = false
  void ended.then(() => (over = true))
  pipe.on('error', () => undefined)
  // a program that forgets to stop the server must be able to end; the end of the pipe then stops it
  child.unref()
  pipe.unref()
  return { pid: child.pid ?? 0, ended, hasEnded: () => over, close: () => void pipe.destroy() }
}

/** Runs PostgreSQL below a watcher. */
export function startWatched(command: readonly string[], options: WatcherOptions & { lock: number }): Watcher {
  return watch(spawnShell(START, command, options))
}

/** Watches over a PostgreSQL that runs already. */
export function adoptWatched(postmasterPid: number, options: WatcherOptions): Watcher {
  return watch(spawnShell(ADOPT, [String(postmasterPid)], options))
}
