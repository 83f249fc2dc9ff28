import { chmodSync, closeSync, copyFileSync, openSync, readSync, statfsSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'

/** The file grows to about this, its predecessor `postgres.log.1` too. */
const LARGEST_LOG_BYTES = 8 * 2 ** 20
const CHECK_INTERVAL_MS = 60_000

export const serverLogPath = (dataDir: string): string => join(dataDir, 'postgres.log')

export function logSize(dataDir: string): number {
  return statSync(serverLogPath(dataDir), { throwIfNoEntry: false })?.size ?? 0
}

/** Opens the log for appending (0600). Appending is what allows to cut the file while PostgreSQL has it open. */
export function openServerLog(dataDir: string): number {
  return openSync(serverLogPath(dataDir), 'a', 0o600)
}

/** What was written behind `offset`, at most 16 kB. */
export function readServerLog(dataDir: string, offset: number): string {
  const descriptor = openSync(serverLogPath(dataDir), 'r')
  try {
    const buffer = Buffer.alloc(16_384)
    return buffer.toString('utf8', 0, readSync(descriptor, buffer, 0, buffer.length, offset))
  } finally {
    closeSync(descriptor)
  }
}

/** Keeps one predecessor and begins anew when the log is too long. Lines written in between may be lost. */
export function trimServerLog(dataDir: string, largest = LARGEST_LOG_BYTES): void {
  const path = serverLogPath(dataDir)
  try {
    if (logSize(dataDir) <= largest) return
    copyFileSync(path, `${path}.1`)
    chmodSync(`${path}.1`, 0o600)
    truncateSync(path, 0)
  } catch {
    // no room for the copy: the bound matters more than the old lines
    truncateSync(path, 0)
  }
}

/** Trims the log from time to time; never keeps the process alive. */
export function keepLogBounded(dataDir: string): NodeJS.Timeout {
  trimServerLog(dataDir)
  return setInterval(() => trimServerLog(dataDir), CHECK_INTERVAL_MS).unref()
}

/** A full disk also swallows the line that would say so. */
export function isDiskFull(dataDir: string): boolean {
  const { bavail, bsize } = statfsSync(dataDir)
  return bavail * bsize < 2 ** 20
}
