import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** Settings from the environment; the only place that reads it. Flags of the command line win over these. */
export interface Config {
  dataDir: string
  databaseUrl: string | null
  storageUrl: string | null
  port: number
  workers: number | null
  plansFile: string | null
  failpoint: string | undefined
  publicUrl: string | null
  trustedProxies: string[]
  logLevel: string
  /** Seconds before the first automatic retry; doubles with each one. */
  retryBaseSeconds: number
  nodeEnv: string
}

/** The folder of the person where the platform keeps programs' data. */
function userDataFolder(environment: NodeJS.ProcessEnv): string {
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'sheaf')
  return join(environment['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'sheaf')
}

/** Relative paths mean those of the caller, also when npm changed the directory. */
export function callerPath(path: string, environment: NodeJS.ProcessEnv = process.env): string {
  return resolve(environment['INIT_CWD'] ?? process.cwd(), path)
}

function positive(value: string | undefined, otherwise: number): number {
  const number = Number(value)
  return value !== undefined && value !== '' && Number.isFinite(number) && number >= 0 ? number : otherwise
}

export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  return {
    dataDir: environment['SHEAF_DATA']
      ? callerPath(environment['SHEAF_DATA'], environment)
      : userDataFolder(environment),
    databaseUrl: environment['DATABASE_URL'] || null,
    storageUrl: environment['STORAGE_URL'] || null,
    port: positive(environment['SHEAF_PORT'], 8080),
    workers: environment['SHEAF_WORKERS'] ? positive(environment['SHEAF_WORKERS'], 2) : null,
    plansFile: environment['SHEAF_PLANS'] || null,
    failpoint: environment['SHEAF_FAILPOINT'],
    publicUrl: environment['SHEAF_PUBLIC_URL'] || null,
    trustedProxies: (environment['SHEAF_TRUSTED_PROXIES'] ?? '').split(',').filter(Boolean),
    logLevel: environment['SHEAF_LOG'] ?? 'info',
    retryBaseSeconds: positive(environment['SHEAF_RETRY_BASE'], 2),
    nodeEnv: environment['NODE_ENV'] ?? 'production',
  }
}
