import { createLog } from '../src/core/index.ts'
import { connectDatabase } from '../src/database/index.ts'
import { startLeaseLoop, startMaintenance } from '../src/worker/index.ts'

/** A worker that takes documents and never ends one, until it is killed: the victim of bench/recovery.ts. */
const [url, slots] = process.argv.slice(2)
const database = connectDatabase({ url: url! })
const log = createLog('warn')
await startMaintenance(database, log)
let held = 0
await startLeaseLoop({
  database,
  log,
  slots: Number(slots),
  handlers: {
    document: () => {
      if (++held === Number(slots)) process.stdout.write('full\n')
      return new Promise(() => {})
    },
  },
})
