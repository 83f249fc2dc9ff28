import { chmodSync, chownSync, existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runCommand, type Identity } from './run-command.ts'
import { refusedError } from './start-error.ts'

/** PostgreSQL refuses to run as root: as whom it runs instead. */
export type Isolation = 'same-user' | 'namespace' | 'nobody'

export interface Runner {
  isolation: Isolation
  /** Words before the program. */
  prefix: readonly string[]
  /** The identity that `spawn` gives to the program; empty for our own. */
  identity: Identity
  /** Who owns the files of the database, seen from here. */
  ownerUid: number
}

/** PostgreSQL sees uid 1000, while the kernel goes on treating its files and its rights to enter folders as root's. */
const NAMESPACE = ['unshare', '--user', '--map-user=1000', '--map-group=1000']

const ownUid = (): number => process.getuid?.() ?? 0

const sameUser = (): Runner => ({ isolation: 'same-user', prefix: [], identity: {}, ownerUid: ownUid() })
const namespace = (): Runner => ({ isolation: 'namespace', prefix: NAMESPACE, identity: {}, ownerUid: ownUid() })
const otherUser = (uid: number, gid: number): Runner => ({
  isolation: 'nobody',
  prefix: [],
  identity: { uid, gid },
  ownerUid: uid,
})

async function nobody(): Promise<Runner> {
  const ids = await Promise.all(['-u', '-g'].map((flag) => runCommand(['id', flag, 'nobody'])))
  const [uid, gid] = ids.map(({ code, stdout }) => (code === 0 ? Number(stdout) : 65_534))
  return otherUser(uid ?? 65_534, gid ?? 65_534)
}

const namespacesAllowed = async (): Promise<boolean> => (await runCommand([...NAMESPACE, 'true'])).code === 0

/**
 * Decides as whom PostgreSQL runs. As root: whoever owns an existing database, else in a user namespace, else
 * `nobody`. `requested` forces one kind; tests use it.
 */
export async function chooseRunner(dataDir: string, requested?: Isolation): Promise<Runner> {
  const database = join(dataDir, 'postgres')
  const found = existsSync(database) ? statSync(database) : null
  if (ownUid() !== 0 && requested === 'nobody') {
    throw refusedError(
      'Only root can start the database as nobody.',
      'Start Sheaf as root, or without asking for nobody.',
    )
  }
  if (requested === 'same-user' || (requested === undefined && ownUid() !== 0)) return sameUser()
  if (found !== null && found.uid !== ownUid() && ownUid() === 0) return otherUser(found.uid, found.gid)
  if (requested === 'namespace' || (requested === undefined && (await namespacesAllowed()))) return namespace()
  if (found !== null) {
    throw refusedError(
      `The database in ${dataDir} belongs to root, and user namespaces, in which PostgreSQL would run as root, are refused here.`,
      'Start Sheaf as an ordinary user after giving the directory to that user, or choose another directory with --data.',
    )
  }
  return nobody()
}

function withParents(path: string): string[] {
  const parent = dirname(path)
  return parent === path ? [path] : [...withParents(parent), path]
}

const FIRST_CLOSED = 'for folder do [ -x "$folder" ] || { printf %s "$folder"; exit 1; }; done'

/**
 * Makes sure that another user can enter `folders` and all their parents, asking the kernel as that user. Of the
 * parents nothing is changed; our own data directory lets the group of that user pass (0710), never list.
 */
export async function admitRunner(runner: Runner, dataDir: string, folders: readonly string[]): Promise<void> {
  const { uid, gid } = runner.identity
  if (uid === undefined || gid === undefined) return
  const { uid: owner, mode } = statSync(dataDir)
  if (owner === ownUid() && (mode & 0o001) === 0) {
    chownSync(dataDir, owner, gid)
    chmodSync(dataDir, 0o710)
  }
  const all = [...new Set(folders.flatMap(withParents))]
  const { code, stdout, stderr } = await runCommand(['/bin/sh', '-c', FIRST_CLOSED, 'sh', ...all], runner.identity)
  if (code === 0) return
  throw refusedError(
    `The database has to run as another user than root, and that user cannot enter ${stdout || stderr}.`,
    'Open that folder (chmod o+x), or choose a directory outside of it with --data.',
  )
}
