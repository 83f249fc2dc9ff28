/**
 * The two words of the environment that this folder reads; nothing else of it reaches PostgreSQL: PG* and LD_*
 * variables would change what it does, secrets have no business there.
 */
const STANDARD_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

// oxlint-disable-next-line node/no-process-env -- tools must be found where the person's shell finds them
const { PATH = '', XDG_RUNTIME_DIR } = process.env

/** Folders to look for programs in. */
export const searchPath: string[] = `${PATH}:${STANDARD_PATH}`.split(':').filter((part) => part.startsWith('/'))

/** `$XDG_RUNTIME_DIR` of the XDG Base Directory Specification, or null. */
export const runtimeDirectory: string | null = XDG_RUNTIME_DIR?.startsWith('/') ? XDG_RUNTIME_DIR : null

/** The whole environment of every process started here; in the C locale messages can be read by a program. */
export const commandEnvironment: NodeJS.ProcessEnv = { PATH: searchPath.join(':'), LC_ALL: 'C', TZ: 'UTC' }
