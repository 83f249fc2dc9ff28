import type { Terminal } from './terminal.ts'

/** The flags that every command takes. */
export interface GlobalFlags {
  data?: string
  server?: string
  key?: string
  json?: boolean
  color: boolean
}

/** One call of the program, as a command sees it. */
export interface Invocation {
  flags: GlobalFlags
  terminal: Terminal
  version: string
  interruption: Interruption
}

/** Ctrl-C and SIGTERM. Without a handler they end the process; with one, the first is handled and the second ends it. */
export interface Interruption {
  /** Whether a signal has come. */
  readonly signal: NodeJS.Signals | null
  /** `handler` is called once, for the first signal. Returns what takes it away again. */
  handle(handler: (signal: NodeJS.Signals) => void): () => void
}

/** The exit code of a process that a signal ended although it was told to stop at once. */
const AT_ONCE = 130

export function watchInterruption(): Interruption {
  let handler: ((signal: NodeJS.Signals) => void) | null = null
  let received: NodeJS.Signals | null = null
  const heard = (signal: NodeJS.Signals): void => {
    if (received !== null || handler === null) process.exit(AT_ONCE)
    received = signal
    handler(signal)
  }
  process.on('SIGINT', heard)
  process.on('SIGTERM', heard)
  return {
    get signal() {
      return received
    },
    handle: (next) => {
      handler = next
      return () => {
        if (handler === next) handler = null
      }
    },
  }
}
