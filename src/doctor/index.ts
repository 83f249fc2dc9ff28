import type { Database, UserContext } from '../database/index.ts'
import type { BlobStore } from '../storage/index.ts'
import { checkInvariants, type Finding } from './invariants.ts'
import { checkStoredBytes, collectGarbage } from './stored-bytes.ts'

export { collectGarbage, type Finding }

export interface Diagnosis {
  healthy: boolean
  findings: Finding[]
}

/**
 * Checks every invariant of a workspace. `strict` reads all stored bytes and compares their hashes; without it sizes
 * are compared. Warnings do not make a workspace unhealthy.
 */
export async function runDoctor(
  database: Database,
  store: BlobStore,
  context: UserContext,
  options: { strict: boolean },
): Promise<Diagnosis> {
  const findings = [
    ...(await checkInvariants(database, context)),
    ...(await checkStoredBytes(database, store, context, { deep: options.strict })),
  ]
  return { healthy: findings.every((finding) => finding.level === 'warning'), findings }
}
