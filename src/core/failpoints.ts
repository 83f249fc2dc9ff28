/**
 * Named places where a test can kill the process or make a call fail. Off unless SHEAF_FAILPOINT is set,
 * e.g. `SHEAF_FAILPOINT=after-blob-rename:kill@3` kills the process the third time it gets there.
 * `error` throws an error instead; several points are separated by commas.
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

interface Trap {
  action: 'kill' | 'error'
  at: number
  hits: number
}

const traps = new Map<string, Trap>()

/** Arms failpoints from a specification such as `name:kill@3,other:error@1`; throws on an unknown name or action. */
export function armFailpoints(specification: string | undefined): void {
  traps.clear()
  for (const part of (specification ?? '').split(',').filter(Boolean)) {
    const match = /^([a-z-]+):(kill|error)(?:@(\d+))?$/.exec(part.trim())
    if (!match || !(match[1]! in FAILPOINTS))
      throw new Error(`SHEAF_FAILPOINT: "${part}" is not name:kill@n or name:error@n with a name of "sheaf failpoints"`)
    traps.set(match[1]!, { action: match[2] as Trap['action'], at: Number(match[3] ?? 1), hits: 0 })
  }
}

/** Marks a place that tests can make fail; costs one map look-up when nothing is armed. */
export function failpoint(name: Failpoint): void {
  if (traps.size === 0) return
  const trap = traps.get(name)
  if (!trap || ++trap.hits !== trap.at) return
  if (trap.action === 'kill') process.kill(process.pid, 'SIGKILL')
  throw new Error(`failpoint ${name}`)
}
