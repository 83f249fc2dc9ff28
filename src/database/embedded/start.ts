import { closeSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { findBinaries, packageFolder } from './binaries.ts'
import { claimDirectory, prepareDataDirectory, type DirectoryClaim } from './directory-claim.ts'
import { superviseServer, type EmbeddedServer } from './embedded-server.ts'
import { initialiseDatabase, readDataVersion, readPasswords, removeLeftovers } from './initialise.ts'
import { adoptPostmaster, launchPostmaster, type Installation, type Postmaster } from './postmaster.ts'
import { settlePredecessor } from './predecessor.ts'
import { admitRunner, chooseRunner, type Isolation } from './runner.ts'
import { toStartError } from './start-error.ts'

export interface EmbeddedOptions {
  dataDir: string
  /** Takes lines about what happens, without end of line. */
  log?: (line: string) => void
  /** Forces how PostgreSQL is kept from running as root; found out when absent. */
  isolation?: Isolation
  /** Folders to look for `postgres` and `initdb` in, instead of the npm package and the system's. */
  binaryFolders?: readonly string[]
}

async function prepareInstallation(dataDir: string, options: EmbeddedOptions): Promise<Installation> {
  const database = join(dataDir, 'postgres')
  const runner = await chooseRunner(dataDir, options.isolation)
  const folders = options.binaryFolders ?? packageFolder()
  await admitRunner(runner, dataDir, [dataDir, ...folders])
  const wanted = { runner, dataDir, dataVersion: readDataVersion(database) }
  const binaries = await findBinaries({ ...wanted, ...(options.binaryFolders && { folders: options.binaryFolders }) })
  return { dataDir, database, binaries, runner, log: options.log ?? (() => undefined) }
}

async function initialiseUnderLock(
  { dataDir, database, binaries, runner, log }: Installation,
  lock: number,
): Promise<void> {
  try {
    removeLeftovers(dataDir)
    if (readDataVersion(database) !== null) return
    log('making a new database')
    await initialiseDatabase({ dataDir, binaries, runner, lock })
  } catch (error) {
    closeSync(lock)
    throw error
  }
}

async function bringUp(installation: Installation, claim: DirectoryClaim): Promise<Postmaster> {
  const { dataDir, database } = installation
  const password = existsSync(join(database, 'PG_VERSION')) ? readPasswords(database).postgres : null
  const settled = await settlePredecessor({ dataDir, database, file: claim.previous, password })
  if ('adopt' in settled) return adoptPostmaster(installation, settled.adopt)
  await initialiseUnderLock(installation, settled.lock)
  return launchPostmaster(installation, settled.lock)
}

/**
 * Starts PostgreSQL in `<dataDir>/postgres`, making the database at the first time, and takes the directory for this
 * process. The server ends with the process, however that ends. Throws EmbeddedStartError, whose exit code is 75 when
 * another Sheaf has the directory, 7 when there is no space left and 6 otherwise.
 */
export async function startEmbeddedServer(options: EmbeddedOptions): Promise<EmbeddedServer> {
  let dataDir = options.dataDir
  try {
    dataDir = prepareDataDirectory(dataDir)
    const claim = await claimDirectory(dataDir)
    try {
      const installation = await prepareInstallation(dataDir, options)
      const postmaster = await bringUp(installation, claim)
      return superviseServer({ installation, claim, passwords: readPasswords(installation.database), postmaster })
    } catch (error) {
      claim.release()
      throw error
    }
  } catch (error) {
    throw toStartError(error, dataDir)
  }
}
