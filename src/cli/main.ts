import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { readFileSync } from 'node:fs'
import { EXIT, toFailure, type CommandFailure } from './failure.ts'
import { watchInterruption, type GlobalFlags, type Invocation } from './invocation.ts'
import { openTerminal, type Terminal } from './terminal.ts'

/** The command line. Each command is loaded only when it is called, so that help is there at once. */

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}
const interruption = watchInterruption()
let exitCode: number = EXIT.ok

type Action = (invocation: Invocation, ...rest: never[]) => Promise<number> | number

/** Runs a command with what commander hands over: arguments first, then the command's own flags. */
function act(load: () => Promise<Action>): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.pop() as Command
    const flags = command.optsWithGlobals<GlobalFlags>()
    const invocation: Invocation = {
      flags,
      terminal: openTerminal({ color: flags.color, json: flags.json ?? false }),
      version,
      interruption,
    }
    const run = (await load()) as (...rest: unknown[]) => Promise<number> | number
    exitCode = await run(invocation, ...given)
  }
}

function list(value: string, before: string[]): string[] {
  return [...before, value]
}

function positive(value: string): number {
  const number = Number(value)
  if (Number.isFinite(number) && number > 0) return number
  throw new InvalidArgumentError('Give a number above 0.')
}

function whole(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value)
    if (/^\d+$/.test(value) && number >= least && number <= most) return number
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`)
  }
}

const workers = (): Option =>
  new Option('--workers <n>', 'processes that read documents (default: one for each core)').argParser(whole(1, 256))
const password = (): Option =>
  new Option('--password <password>', 'tried on encrypted documents; may be given several times')
    .argParser(list)
    .default([], 'none')

const program = new Command('sheaf')
  .description('Turns a pile of documents into answers you can check.')
  .option('--data <dir>', 'data directory (default: $SHEAF_DATA, else the user-data folder)')
  .option('--server <url>', 'work on this server instead of a data directory')
  .option('--key <key>', 'API key for --server')
  .option('--json', 'print data as JSON')
  .option('--no-color', 'no colours, like NO_COLOR')
  .version(version, '-V, --version', 'print the version')
  .helpOption('-h, --help', 'show help')
  .helpCommand('help [command]', 'show help for a command')
  .configureHelp({ showGlobalOptions: true })
  .showSuggestionAfterError()

const examples = (command: Command, ...lines: string[]): Command =>
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ sheaf ${line}\n`).join('')}`)

examples(
  program,
  'run invoices --out results            read a folder, write the results',
  'parse letters --out texts             documents to Markdown, nothing stored',
  'serve                                 API and worker on this machine',
  'status invoices                       how far a batch is',
)

examples(
  program
    .command('serve')
    .description('serve the API and work on documents')
    .option(
      '--port <port>',
      'port to listen on; 0 takes a free one (default: $SHEAF_PORT, else 8080)',
      whole(0, 65_535),
    )
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .addOption(new Option('--only <part>', 'only this part').choices(['api', 'worker']))
    .addOption(workers())
    .option('--exit-when-idle <seconds>', 'end when nothing has been left to do for so long', positive)
    .action(act(async () => (await import('./commands/serve.ts')).serve)),
  'serve',
  'serve --port 0 --data ./data',
  'serve --only worker --exit-when-idle 60',
)

examples(
  program
    .command('run')
    .description('read documents and write the results: the whole job')
    .argument('<path...>', 'files and folders')
    .option('--out <dir>', 'folder for the results')
    .option('--name <name>', 'name of the batch (default: that of the folder)')
    .option('--pipeline <pipeline>', 'preset, JSON, or a file that holds JSON')
    .option('--export <formats>', 'also write results.<format>, such as csv,jsonl')
    .option('--dry-run', 'only say what would be taken in')
    .addOption(workers())
    .addOption(password())
    .action(act(async () => (await import('./commands/run.ts')).runBatch)),
  'run invoices --out results --export csv',
  'run a.pdf b.pdf --out results --name "Q1 review"',
  'run invoices --dry-run',
)

examples(
  program
    .command('parse')
    .description('read documents into Markdown, JSON or text; nothing is stored')
    .argument('<path...>', 'files and folders')
    .option('--out <dir>', 'folder for the texts')
    .addOption(
      new Option('--format <format>', 'what to write').choices(['markdown', 'json', 'text']).default('markdown'),
    )
    .addOption(
      new Option('--furniture <what>', 'running headers, footers and page numbers')
        .choices(['drop', 'keep'])
        .default('drop'),
    )
    .addOption(workers())
    .addOption(password())
    .action(act(async () => (await import('./commands/parse.ts')).parseFiles)),
  'parse letters --out texts',
  'parse report.pdf --out . --format json',
)

program
  .command('batches')
  .description('list batches, the newest first')
  .action(act(async () => (await import('./commands/batches.ts')).showBatches))

const batchCommand = (name: string, description: string): Command =>
  program.command(name).description(description).argument('<batch>', 'id or name of a batch')

examples(
  batchCommand('status', 'show how far a batch is and what went wrong').action(
    act(async () => (await import('./commands/batches.ts')).showStatus),
  ),
  'status invoices',
  'status invoices --json',
)

examples(
  batchCommand('retry', 'read again what failed, or what the filter names')
    .addOption(
      new Option(
        '--where <key=value>',
        'only documents with this state, category, code, path or mediaType; several must all hold',
      )
        .argParser(list)
        .default([], 'none'),
    )
    .addOption(
      new Option('--document <id>', 'only this document; may be given several times')
        .argParser(list)
        .default([], 'none'),
    )
    .option('--timeout-factor <n>', 'multiply the time limits', positive)
    .option('--dry-run', 'only count them')
    .option('--wait', 'wait until the batch has ended')
    .addOption(workers())
    .addOption(password())
    .action(act(async () => (await import('./commands/control.ts')).retryBatch)),
  'retry invoices --where category=timeout --timeout-factor 2 --wait',
  'retry invoices --password secret --wait',
)

for (const [control, description] of [
  ['cancel', 'end a batch; what is read stays'],
  ['pause', 'let a batch rest'],
  ['resume', 'let a paused batch go on'],
] as const) {
  batchCommand(control, description).action(
    act(async () => {
      const { controlBatch } = await import('./commands/control.ts')
      return (invocation: Invocation, batch: string) => controlBatch(invocation, control, batch)
    }),
  )
}

examples(
  batchCommand('delete', 'delete a batch with everything derived from it')
    .option('--receipt <file>', 'write the receipt to this file')
    .option('--yes', 'do not ask')
    .action(act(async () => (await import('./commands/delete.ts')).deleteBatch)),
  'delete invoices --receipt receipt.json',
)

examples(
  batchCommand('export', 'write files of results')
    .option('--format <formats>', 'formats, parted by commas', 'csv')
    .option('--out <dir>', 'folder for the files', '.')
    .action(act(async () => (await import('./commands/export.ts')).exportBatch)),
  'export invoices --format csv,jsonl --out results',
)

examples(
  program
    .command('work')
    .description('take documents that wait, finish them and end: for other schedulers')
    .option('--max-documents <n>', 'take at most so many', whole(1, 1_000_000))
    .addOption(workers())
    .action(act(async () => (await import('./commands/work.ts')).work)),
  'work --max-documents 50',
)

examples(
  program
    .command('doctor')
    .description('check every invariant; exit 1 when one is broken')
    .option('--strict', 'read all stored bytes and compare their hashes')
    .action(act(async () => (await import('./commands/administration.ts')).diagnose)),
  'doctor --strict --json',
)

program
  .command('gc')
  .description('free what interrupted uploads and readings left')
  .option('--older-than <seconds>', 'leave what is younger', whole(0, 31_536_000), 3600)
  .action(act(async () => (await import('./commands/administration.ts')).collect))

program
  .command('failpoints')
  .description('list the places where a test can make Sheaf fail (SHEAF_FAILPOINT)')
  .action(act(async () => (await import('./commands/failpoints.ts')).showFailpoints))

/** commander's own errors are usage errors; help and version are not errors. */
function endOfCommander(error: CommanderError, terminal: Terminal): number {
  if (error.exitCode === 0) return EXIT.ok
  if (error.code !== 'commander.help') terminal.say(sentence(error.message.replace(/^error: /, '')))
  return EXIT.usage
}

function sentence(text: string): string {
  const [first = '', ...rest] = text.split('\n')
  const whole = first.charAt(0).toUpperCase() + first.slice(1)
  return [/[.?!]$/.test(whole) ? whole : `${whole}.`, ...rest.filter(Boolean), 'See sheaf --help.'].join('\n')
}

function sayFailure(terminal: Terminal, failure: CommandFailure): void {
  terminal.say(`${terminal.styleTalk('red', 'Error:')} ${failure.message}`)
  if (failure.action !== null) terminal.say(failure.action)
}

function configure(command: Command): void {
  command.exitOverride().configureOutput({ writeErr: (text) => process.stderr.write(text), outputError: () => {} })
  command.commands.forEach(configure)
}

// a reader that has seen enough (`sheaf batches | head -1`) is no error
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? exitCode : EXIT.someFailed),
)

configure(program)
try {
  await program.parseAsync()
} catch (error) {
  const terminal = openTerminal({ color: !process.argv.includes('--no-color'), json: false })
  if (error instanceof CommanderError) exitCode = endOfCommander(error, terminal)
  else {
    const failure = toFailure(error)
    exitCode = failure.exitCode
    sayFailure(terminal, failure)
    const { readConfig } = await import('../core/index.ts')
    if (readConfig().logLevel === 'debug') console.error(error)
  }
}
const last = openTerminal({ color: false, json: false })
await last.flush()
process.exit(exitCode)
