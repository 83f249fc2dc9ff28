import { FAILPOINTS } from '../../src/core/index.ts'
import { generatedFrom, table } from './markdown.ts'

const INTRODUCTION = `# Failpoints

Named places where a test can kill the process or make a call fail. They are off unless \`SHEAF_FAILPOINT\` is set.

- \`SHEAF_FAILPOINT=after-blob-rename:kill@3\` kills the process (SIGKILL) the third time it gets there.
- \`SHEAF_FAILPOINT=before-complete:error\` throws an error the first time.
- Several points are separated by commas.
`

/** docs/reference/failpoints.md */
export function renderFailpoints(): string {
  const rows = Object.entries(FAILPOINTS).map(([name, state]) => [`\`${name}\``, state])
  return `${generatedFrom('src/core/failpoints.ts')}${INTRODUCTION}\n${table(['name', 'state of things there'], rows)}\n`
}
