import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Where a command prints: data on stdout, talk and progress on stderr. */
export interface Terminal {
  /** Whether a person sees stderr. */
  readonly isWatched: boolean
  /** Columns of stderr. */
  readonly width: number
  /** One line of data. */
  print(line: string): void
  /** One JSON document of data. */
  printJson(value: unknown): void
  /** One line of talk; what is in progress is cleared before it. */
  say(line: string): void
  /** Shows one line that the next one replaces; nothing where nobody watches. */
  progress(line: string): void
  clearProgress(): void
  /** Colours for data and for talk; plain text where colours are not wanted. */
  style(style: Style, text: string): string
  styleTalk(style: Style, text: string): string
  /** Waits until everything is handed to the system. */
  flush(): Promise<void>
}

export interface TerminalOptions {
  color: boolean
  json: boolean
}

/** Colours only on a terminal that has them, and never with NO_COLOR (Node looks at it) or --no-color. */
export function openTerminal({ color, json }: TerminalOptions): Terminal {
  const { stdout, stderr } = process
  const isDataColored = color && !json && hasColors(stdout)
  const isTalkColored = color && hasColors(stderr)
  let shown = 0
  const clearProgress = (): void => {
    if (shown > 0) stderr.write(`\r${' '.repeat(shown)}\r`)
    shown = 0
  }
  return {
    isWatched: stderr.isTTY,
    get width() {
      return stderr.columns || 80
    },
    print: (line) => void stdout.write(`${line}\n`),
    printJson: (value) => void stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    say: (line) => {
      clearProgress()
      stderr.write(`${line}\n`)
    },
    progress: (line) => {
      if (!stderr.isTTY) return
      const cut = line.slice(0, Math.max(0, (stderr.columns || 80) - 1))
      stderr.write(`\r${cut.padEnd(shown)}`)
      shown = cut.length
    },
    clearProgress,
    style: (style, text) => (isDataColored ? styleText(style, text, { validateStream: false }) : text),
    styleTalk: (style, text) => (isTalkColored ? styleText(style, text, { validateStream: false }) : text),
    flush: async () => {
      clearProgress()
      await Promise.all(
        [stdout, stderr].map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve()))),
      )
    },
  }
}

function hasColors(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && stream.hasColors()
}

const UNPRINTABLE = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/gu

/** A name for people: characters that steer a terminal or turn the line are written as `\u001B`. */
export function printable(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => `\\u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`,
  )
}

/** `1 document`, `2,000 documents`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? noun : plural}`
}

/** `1 needs a password`, `2 need a password`. */
export function needPassword(documents: number): string {
  return `${documents.toLocaleString('en-US')} ${documents === 1 ? 'needs' : 'need'} a password`
}

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB']

/** A size in powers of 1000: `12 bytes`, `3.4 MB`. */
export function size(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)))
  const number = bytes / 1000 ** power
  return `${power === 0 || number >= 100 ? Math.round(number) : number.toFixed(1)} ${bytes === 1 ? 'byte' : UNITS[power]}`
}

/** A duration as people say it: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`; `decimals` below ten seconds. */
export function duration(seconds: number, decimals = 1): string {
  if (seconds < 10) return `${seconds.toFixed(decimals)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`
}
