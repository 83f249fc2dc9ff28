import type { DirectoryClaim } from './directory-claim.ts'
import type { Passwords } from './initialise.ts'
import { launchPostmaster, waitForEnd, type Installation, type Postmaster } from './postmaster.ts'
import { endPostmaster, lockServer } from './predecessor.ts'
import { keepLogBounded } from './server-log.ts'
import { removeSocketDirectory } from './socket-directory.ts'
import type { Outcome } from './watcher.ts'

/** A PostgreSQL server that belongs to this process and ends with it. */
export interface EmbeddedServer {
  /** `host` for clients: the folder of the socket. */
  readonly socketDirectory: string
  /** `port` for clients: the number in the name of the socket file. */
  readonly port: number
  readonly postmasterPid: number
  readonly superuser: { user: string; password: string }
  /** The password meant for the role `sheaf_login`; whoever makes the role sets it. */
  readonly loginPassword: string
  /**
   * Resolves when the server ended although nobody asked for it. After `restart()` read it again: every life of the
   * server has its own promise. The code or signal is null where it is not known (an adopted server).
   */
  readonly ended: Promise<Outcome>
  /**
   * Ends the server without a checkpoint, even one that hangs, and starts it again: nothing committed is lost, open
   * connections break. Also starts one that has ended. Throws EmbeddedStartError; may be called again then.
   */
  restart(): Promise<void>
  /** Fast shutdown, at most 10 s; gives the data directory back. May be called twice. */
  stop(): Promise<void>
}

const LONGEST_STOP_MS = 9_500

interface Life {
  postmaster: Postmaster
  /** True from the moment on at which we end it ourselves. */
  expected: boolean
  ended: Promise<Outcome>
}

function beginLife(postmaster: Postmaster): Life {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const life: Life = { postmaster, expected: false, ended: promise }
  void postmaster.ended.then((outcome) => {
    if (!life.expected) resolve(outcome)
  })
  return life
}

export interface ServerParts {
  installation: Installation
  claim: DirectoryClaim
  passwords: Passwords
  postmaster: Postmaster
}

/** Wraps a running postmaster as what the rest of the program sees. */
export function superviseServer({ installation, claim, passwords, postmaster }: ServerParts): EmbeddedServer {
  const { dataDir, database } = installation
  let life = beginLife(postmaster)
  let stopped: Promise<void> | undefined
  let restarting: Promise<void> = Promise.resolve()
  const logTimer = keepLogBounded(dataDir)

  async function startAgain(): Promise<void> {
    if (stopped !== undefined) throw new Error('the database server was stopped')
    life.expected = true
    await endPostmaster(life.postmaster.pid, database)
    life.postmaster.watcher.close()
    life = beginLife(await launchPostmaster(installation, await lockServer(dataDir)))
  }

  async function end(): Promise<void> {
    await restarting.catch(() => undefined)
    clearInterval(logTimer)
    life.expected = true
    life.postmaster.watcher.close()
    if (!(await waitForEnd(life.postmaster, LONGEST_STOP_MS))) await endPostmaster(life.postmaster.pid, database)
    removeSocketDirectory(life.postmaster.socketDirectory, dataDir)
    claim.release()
  }

  return {
    get socketDirectory() {
      return life.postmaster.socketDirectory
    },
    get port() {
      return life.postmaster.port
    },
    get postmasterPid() {
      return life.postmaster.pid
    },
    get ended() {
      return life.ended
    },
    superuser: { user: 'postgres', password: passwords.postgres },
    loginPassword: passwords.sheaf_login,
    restart: () => (restarting = restarting.catch(() => undefined).then(startAgain)),
    stop: () => (stopped ??= end()),
  }
}
