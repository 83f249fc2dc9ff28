import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { findBatch } from '../client/batches.ts'
import { connect } from '../connect.ts'
import { EXIT } from '../failure.ts'
import type { Invocation } from '../invocation.ts'
import { readFormats, writeExports } from '../run/outputs.ts'
import { printable } from '../terminal.ts'
import { untilInterrupted } from '../until-interrupted.ts'

export interface ExportFlags {
  format: string
  out: string
}

/** `sheaf export BATCH`: files of results; the same results give the same bytes. */
export async function exportBatch(invocation: Invocation, argument: string, flags: ExportFlags): Promise<number> {
  const { terminal } = invocation
  const { callerPath } = await import('../../core/index.ts')
  const out = callerPath(flags.out)
  const formats = await readFormats(flags.format)
  await mkdir(out, { recursive: true })
  const connection = await connect(invocation, { worker: 'inline', readers: 1 })
  return untilInterrupted(invocation, connection, new AbortController(), async () => {
    const batch = await findBatch(connection, argument)
    const files = (await writeExports(connection, batch, out, formats)).map((name) => join(out, name))
    if (invocation.flags.json) terminal.printJson({ batchId: batch.id, files })
    else for (const file of files) terminal.print(printable(file))
    return EXIT.ok
  })
}
