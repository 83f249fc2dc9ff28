import type { DocumentError } from '../../core/index.ts'
import { count, printable, type Terminal } from '../terminal.ts'

/** What went wrong in a batch, for people: by category, most frequent first. */
export interface FailureGroup {
  category: string
  count: number
  messages: string[]
  action: string
  /** The first ones in input order. */
  paths: string[]
}

export interface Outcome {
  failures: FailureGroup[]
  /** Documents that wait for a password. */
  needsInput: string[]
}

const NAMED = 3

/** Collects the documents of a run, one after the other, into an Outcome. */
export function collectOutcome(): {
  add(document: { path: string; state: string; error: DocumentError | null }): void
  outcome(): Outcome
} {
  const groups = new Map<string, FailureGroup>()
  const needsInput: string[] = []
  return {
    add: ({ path, state, error }) => {
      if (state === 'needs_input') needsInput.push(path)
      if (state !== 'failed' || !error) return
      const group = groups.get(error.category) ?? {
        category: error.category,
        count: 0,
        messages: [],
        action: error.action,
        paths: [],
      }
      groups.set(error.category, group)
      group.count++
      if (!group.messages.includes(error.message)) group.messages.push(error.message)
      if (group.paths.length < NAMED) group.paths.push(path)
    },
    outcome: () => ({
      failures: [...groups.values()].sort((a, b) => b.count - a.count || (a.category < b.category ? -1 : 1)),
      needsInput,
    }),
  }
}

/** Lines that name what went wrong; none when nothing did. */
export function printOutcome(terminal: Terminal, { failures, needsInput }: Outcome): void {
  for (const group of failures) {
    terminal.print(
      `${terminal.style('red', `${group.count.toLocaleString('en-US')} failed, ${group.category}:`)} ${group.messages.join(' ')}`,
    )
    printPaths(terminal, group.paths, group.count)
  }
  if (needsInput.length === 0) return
  terminal.print(
    terminal.style('yellow', `${count(needsInput.length, 'document needs', 'documents need')} a password:`),
  )
  printPaths(terminal, needsInput.slice(0, NAMED), needsInput.length)
}

function printPaths(terminal: Terminal, paths: readonly string[], total: number): void {
  for (const path of paths) terminal.print(`  ${printable(path)}`)
  if (total > paths.length) terminal.print(`  and ${(total - paths.length).toLocaleString('en-US')} more`)
}
