import {
  BATCH_ENDS,
  BATCH_STATUSES,
  BATCH_TRANSITIONS,
  DOCUMENT_STATES,
  DOCUMENT_TRANSITIONS,
  END_STATES,
  PROCESSED_STATES,
  UNFINISHED_STATES,
} from '../../src/core/index.ts'
import type { Transition } from '../../src/core/index.ts'
import { generatedFrom, table } from './markdown.ts'

const INTRODUCTION = `# States of documents and batches

The code guards every change of state with these transitions; a change that is not listed does not happen.
`

type Transitions = Record<string, Transition<string>>

/** A mermaid state diagram; mermaid gives `[*]` the meaning of "begins here". */
function diagram(first: string, transitions: Transitions): string {
  const arrows = Object.entries(transitions).flatMap(([name, { from, to }]) =>
    from.map((state) => `  ${state} --> ${to}: ${name}`),
  )
  return ['```mermaid', 'stateDiagram-v2', `  [*] --> ${first}`, ...arrows, '```'].join('\n')
}

function transitionTable(transitions: Transitions): string {
  const rows = Object.entries(transitions).map(([name, { from, to, cause }]) => [
    name,
    from.map((state) => `\`${state}\``).join(', '),
    `\`${to}\``,
    cause,
  ])
  return table(['transition', 'from', 'to', 'happens when'], rows)
}

function documentStates(): string {
  const isIn = (states: readonly string[], state: string) => (states.includes(state) ? 'yes' : '')
  const rows = DOCUMENT_STATES.map((state) => [
    `\`${state}\``,
    isIn(UNFINISHED_STATES, state),
    isIn(PROCESSED_STATES, state),
    isIn(END_STATES, state),
  ])
  return table(['state', 'keeps the batch unfinished', 'counts as processed', 'is an end'], rows)
}

function batchStatuses(): string {
  const rows = BATCH_STATUSES.map((status) => [
    `\`${status}\``,
    (BATCH_ENDS as readonly string[]).includes(status) ? 'yes' : '',
  ])
  return table(['status', 'is an end'], rows)
}

/** docs/reference/job-states.md: for documents and batches the states, a diagram and the transitions. */
export function renderJobStates(): string {
  const [firstState, firstStatus] = [DOCUMENT_STATES[0], BATCH_STATUSES[0]]
  return `${[
    generatedFrom('src/core/states.ts') + INTRODUCTION,
    '## Documents\n',
    `${documentStates()}\n`,
    `${diagram(firstState, DOCUMENT_TRANSITIONS)}\n`,
    `${transitionTable(DOCUMENT_TRANSITIONS)}\n`,
    '## Batches\n',
    `${batchStatuses()}\n`,
    `${diagram(firstStatus, BATCH_TRANSITIONS)}\n`,
    transitionTable(BATCH_TRANSITIONS),
  ].join('\n')}\n`
}
