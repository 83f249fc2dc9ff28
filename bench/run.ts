import { benchCancel } from './cancel.ts'
import { benchFairness } from './fairness.ts'
import { benchOverhead } from './overhead.ts'
import { benchQueue } from './queue.ts'
import { benchRecovery } from './recovery.ts'
import { benchStatus } from './status.ts'

/** Each returns Markdown that can be pasted into docs/benchmarks.md. */
const BENCHES: Readonly<Record<string, () => Promise<string>>> = {
  queue: benchQueue,
  fairness: benchFairness,
  recovery: benchRecovery,
  cancel: benchCancel,
  status: benchStatus,
  run: benchOverhead,
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in BENCHES))
if (unknown.length > 0) {
  console.error(`There is no bench "${unknown[0]}". Benches: ${Object.keys(BENCHES).join(', ')}.`)
  process.exit(2)
}
for (const name of wanted.length > 0 ? wanted : Object.keys(BENCHES)) console.log(`${await BENCHES[name]!()}\n`)
