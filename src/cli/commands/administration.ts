import { connect } from '../connect.ts'
import { EXIT } from '../failure.ts'
import type { Invocation } from '../invocation.ts'
import { count } from '../terminal.ts'

interface Diagnosis {
  healthy: boolean
  findings: { invariant: string; level: 'error' | 'warning'; message: string; count: number; samples: string[] }[]
}

/** `sheaf doctor`: checks every invariant; exit 1 when one is broken. */
export async function diagnose(invocation: Invocation, flags: { strict?: boolean }): Promise<number> {
  const { terminal } = invocation
  const connection = await connect(invocation, { worker: 'none' })
  try {
    const diagnosis = await connection.request<Diagnosis>(
      'GET',
      `/api/doctor?strict=${flags.strict ? 'true' : 'false'}`,
    )
    if (invocation.flags.json) terminal.printJson(diagnosis)
    else printDiagnosis(invocation, diagnosis)
    return diagnosis.healthy ? EXIT.ok : EXIT.someFailed
  } finally {
    await connection.close()
  }
}

function printDiagnosis({ terminal }: Invocation, { healthy, findings }: Diagnosis): void {
  for (const { invariant, level, message, count: found, samples } of findings) {
    terminal.print(`${level} ${invariant}: ${found} ${message}`)
    for (const sample of samples) terminal.print(`  ${sample}`)
  }
  terminal.print(
    healthy ? 'All invariants hold.' : 'Something is broken; keep the data directory and report what is above.',
  )
}

/** `sheaf gc`: frees what interrupted uploads and readings left. */
export async function collect(invocation: Invocation, flags: { olderThan: number }): Promise<number> {
  const { terminal } = invocation
  const connection = await connect(invocation, { worker: 'none' })
  try {
    const path = `/api/gc?olderThanSeconds=${flags.olderThan}`
    const freed = await connection.request<{ objects: number; bytes: number; staged: number }>('POST', path)
    if (invocation.flags.json) terminal.printJson(freed)
    else
      terminal.print(
        `Freed ${count(freed.objects, 'object')} (${freed.bytes} bytes) and ${count(freed.staged, 'unfinished upload')}.`,
      )
    return EXIT.ok
  } finally {
    await connection.close()
  }
}
