import { closeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Binaries } from './binaries.ts'
import { readPostmasterFile, removeStaleMarks, type PostmasterFile } from './postmaster-file.ts'
import { processStart, worksInDirectory } from './process-identity.ts'
import type { Runner } from './runner.ts'
import { updateServerFile } from './server-file.ts'
import { isDiskFull, logSize, openServerLog, readServerLog } from './server-log.ts'
import { serverArguments } from './settings.ts'
import { prepareSocketDirectory } from './socket-directory.ts'
import { explainServerOutput, noSpaceError, refusedError } from './start-error.ts'
import { adoptWatched, startWatched, type Outcome, type Watcher } from './watcher.ts'

/** What is the same for every life of the server on one data directory. */
export interface Installation {
  dataDir: string
  /** `<dataDir>/postgres` */
  database: string
  binaries: Binaries
  runner: Runner
  log: (line: string) => void
}

/** One running server under a watcher. */
export interface Postmaster {
  pid: number
  socketDirectory: string
  port: number
  watcher: Watcher
  /** Resolves when the server has ended, whatever ended it. */
  ended: Promise<Outcome>
  /** Whether it has ended by now. */
  hasEnded(): boolean | Promise<boolean>
}

/** Replaying the log after a crash takes as long as it takes; this only ends a start that hangs. */
const LONGEST_START_MS = 600_000
const REPORT_EVERY_MS = 10_000
const POLL_MS = 8
const ADOPTED_POLL_MS = 500

function explainEnd(dataDir: string, offset: number): Error {
  const text = readServerLog(dataDir, offset)
  return isDiskFull(dataDir) ? noSpaceError(dataDir, text) : explainServerOutput(text, dataDir)
}

async function untilReady(
  { dataDir, database, log }: Installation,
  watcher: Watcher,
  logOffset: number,
): Promise<PostmasterFile> {
  const begun = performance.now()
  let report = begun + REPORT_EVERY_MS
  while (performance.now() - begun < LONGEST_START_MS) {
    const file = readPostmasterFile(database)
    if (file?.status === 'ready') return file
    if (watcher.hasEnded()) throw explainEnd(dataDir, logOffset)
    if (performance.now() > report) {
      log('the database is still recovering')
      report += REPORT_EVERY_MS
    }
    await delay(POLL_MS)
  }
  watcher.close()
  throw refusedError(`The database in ${dataDir} did not become ready within 10 minutes.`, 'See postgres.log there.')
}

async function noteWatcher(dataDir: string, watcher: Watcher): Promise<void> {
  await updateServerFile(dataDir, { watcherPid: watcher.pid || null, watcherStarted: await processStart(watcher.pid) })
}

/** Starts PostgreSQL and waits until it takes connections. `lock` is handed over to it and closed here. */
export async function launchPostmaster(installation: Installation, lock: number): Promise<Postmaster> {
  const { dataDir, database, binaries, runner } = installation
  let watcher: Watcher | undefined
  const logOffset = logSize(dataDir)
  try {
    const socketDirectory = prepareSocketDirectory(dataDir, runner)
    removeStaleMarks(database, socketDirectory)
    const command = [
      ...runner.prefix,
      join(binaries.directory, 'postgres'),
      '-D',
      database,
      ...serverArguments(socketDirectory),
    ]
    const log = openServerLog(dataDir)
    try {
      watcher = startWatched(command, { runner, log, lock })
    } finally {
      closeSync(log)
    }
  } finally {
    closeSync(lock)
  }
  try {
    await noteWatcher(dataDir, watcher)
    const { pid, port, socketDirectory } = await untilReady(installation, watcher, logOffset)
    await updateServerFile(dataDir, { postmasterPid: pid, port, socketDirectory })
    return { pid, port, socketDirectory, watcher, ended: watcher.ended, hasEnded: watcher.hasEnded }
  } catch (error) {
    watcher.close()
    throw error
  }
}

/** Nobody but its parent is told how a process ended: look from time to time whether it is still there. */
function untilGone(hasEnded: () => Promise<boolean>): Promise<Outcome> {
  return new Promise((resolve) => {
    const timer = setInterval(async () => {
      if (!(await hasEnded())) return
      clearInterval(timer)
      resolve({ code: null, signal: null })
    }, ADOPTED_POLL_MS).unref()
  })
}

/** Puts a server that runs without a watcher under one of ours. */
export async function adoptPostmaster(installation: Installation, running: PostmasterFile): Promise<Postmaster> {
  const { dataDir, database, runner } = installation
  const log = openServerLog(dataDir)
  const watcher = adoptWatched(running.pid, { runner, log })
  closeSync(log)
  await noteWatcher(dataDir, watcher)
  const { pid, port, socketDirectory } = running
  await updateServerFile(dataDir, { postmasterPid: pid, port, socketDirectory })
  installation.log(`adopted the running database server, pid ${pid}`)
  const hasEnded = async (): Promise<boolean> => !(await worksInDirectory(pid, database))
  return { pid, port, socketDirectory, watcher, ended: untilGone(hasEnded), hasEnded }
}

/** Waits until the server is gone; false if it is still there after `milliseconds`. */
export async function waitForEnd({ hasEnded }: Postmaster, milliseconds: number): Promise<boolean> {
  const deadline = performance.now() + milliseconds
  while (!(await hasEnded())) {
    if (performance.now() > deadline) return false
    await delay(POLL_MS)
  }
  return true
}
