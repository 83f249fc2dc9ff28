import { SheafError } from '../../core/index.ts'
import type { UnpackLimits } from './unpack-result.ts'

/** Counts what comes out of one archive. Every method throws SheafError archive_limits when a limit is passed. */
export interface UnpackBudget {
  /** The limit that was passed, null so far; streams that break because of it may end with errors of their own. */
  readonly refusal: SheafError | null
  /** Counts entries. */
  countEntries(count: number): void
  /** Checks a size that the archive declares, all members together, before anything is unpacked. */
  checkDeclared(bytes: number): void
  /** Counts bytes that were really unpacked. */
  take(bytes: number): void
}

export function createBudget(limits: UnpackLimits, archiveBytes: number): UnpackBudget {
  let entries = 0
  let taken = 0
  let refusal: SheafError | null = null

  function refuse(what: string): never {
    refusal = new SheafError('archive_limits', `the archive ${what}`)
    throw refusal
  }

  function check(bytes: number, verb: string): void {
    if (bytes > limits.bytes) refuse(`${verb} more than ${limits.bytes} bytes`)
    if (bytes > limits.ratioFromBytes && bytes > limits.ratio * archiveBytes) {
      refuse(`${verb} more than ${limits.ratio} times its own ${archiveBytes} bytes`)
    }
  }

  return {
    get refusal() {
      return refusal
    },
    countEntries(count) {
      entries += count
      if (entries > limits.entries) refuse(`holds more than ${limits.entries} entries`)
    },
    checkDeclared: (bytes) => check(bytes, 'declares'),
    take(bytes) {
      taken += bytes
      check(taken, 'yields')
    },
  }
}
