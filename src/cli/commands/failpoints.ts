import { FAILPOINTS } from '../../core/index.ts'
import { EXIT } from '../failure.ts'
import type { Invocation } from '../invocation.ts'
import { tableLines } from '../table.ts'

/** `sheaf failpoints`: the places that SHEAF_FAILPOINT knows. */
export function showFailpoints({ terminal, flags }: Invocation): number {
  const points = Object.entries(FAILPOINTS).map(([name, place]) => ({ name, place }))
  if (flags.json) terminal.printJson(points)
  else
    for (const line of tableLines(
      [
        { title: 'NAME', value: ({ name }) => name },
        { title: 'PLACE', value: ({ place }) => place },
      ],
      points,
    ))
      terminal.print(line)
  return EXIT.ok
}
