/**
 * Named places where a test can kill the process or make a call fail. Off unless SHEAF_FAILPOINT is set, e.g.
 * `SHEAF_FAILPOINT=after-blob-rename:kill@3` kills the process the third time it gets there, and
 * `child-page:hang=slow.pdf` hangs for every subject whose name contains `slow.pdf`. Actions: `kill` (SIGKILL), `error`
 * (throws), `hang` (computes for ever), `bloat` (takes memory for ever). Several points are separated by commas.
 */

export const FAILPOINTS = {
  'upload-received': 'the bytes of an upload are staged, nothing is renamed',
  'after-blob-sync': 'a staged file is synced, not yet renamed',
  'after-blob-rename': 'a blob has its final name, its row is not committed',
  'before-intake-commit': 'the rows of an upload are written, not committed',
  'after-intake-commit': 'the rows of an upload are committed, the answer is not sent',
  'after-claim': 'documents are leased, none is begun',
  'before-read': 'a document is about to be handed to a reader child',
  'after-read': 'the reader child has answered, nothing is stored',
  'before-complete': 'results are stored as blobs, the completion is not committed',
  'after-complete': 'a completion is committed, the batch is not settled',
  'before-finalize': 'the finalising job is leased, nothing is written',
  'before-finalize-commit': 'the summary is written, not committed',
  'after-finalize': 'the batch is finalised, the lease is not given back',
  'before-delete': 'the deletion job is leased, nothing is deleted',
  'after-delete-blobs': 'some blobs are gone, their rows are not committed',
  'before-delete-commit': 'the rows are deleted, not committed',
  'child-start': 'in the reader child: a request has arrived',
  'child-page': 'in the reader child: a page has been read',
  'child-end': 'in the reader child: the answer is about to be sent',
} as const
export type Failpoint = keyof typeof FAILPOINTS

const ACTIONS = ['kill', 'error', 'hang', 'bloat'] as const
type Action = (typeof ACTIONS)[number]

interface Trap {
  action: Action
  /** The hit at which it acts; 0 for every hit whose subject contains `subject`. */
  at: number
  subject: string
  hits: number
}

const traps = new Map<string, Trap>()
const SPECIFICATION = new RegExp(`^([a-z-]+):(${ACTIONS.join('|')})(?:@(\\d+)|=(.+))?$`)

/** Arms failpoints from a specification; throws on an unknown name or action. */
export function armFailpoints(specification: string | undefined): void {
  traps.clear()
  for (const part of (specification ?? '').split(',').filter(Boolean)) {
    const [, name = '', action, at, subject] = SPECIFICATION.exec(part.trim()) ?? []
    if (!(name in FAILPOINTS)) {
      throw new Error(
        `SHEAF_FAILPOINT: "${part}" is not name:action, name:action@n or name:action=subject with a name of "sheaf failpoints"`,
      )
    }
    traps.set(name, {
      action: action as Action,
      at: subject === undefined ? Number(at ?? 1) : 0,
      subject: subject ?? '',
      hits: 0,
    })
  }
}

/**
 * What of a specification is meant for a process that is started again after the first one died of it: a count names one
 * moment, a subject names every one.
 */
export function lastingFailpoints(specification: string | undefined): string | undefined {
  const lasting = (specification ?? '').split(',').filter((part) => part.includes('='))
  return lasting.length > 0 ? lasting.join(',') : undefined
}

/** Marks a place that tests can make fail; costs one look at a map when nothing is armed. */
export function failpoint(name: Failpoint, subject = ''): void {
  if (traps.size === 0) return
  const trap = traps.get(name)
  if (!trap) return
  const isMeant = trap.at === 0 ? subject.includes(trap.subject) : ++trap.hits === trap.at
  if (isMeant) act(trap.action, name)
}

function act(action: Action, name: Failpoint): void {
  if (action === 'kill') process.kill(process.pid, 'SIGKILL')
  if (action === 'error') throw new Error(`failpoint ${name}`)
  const taken: Buffer[] = []
  for (;;) if (action === 'bloat') taken.push(Buffer.alloc(8 * 1024 * 1024, 1))
}
