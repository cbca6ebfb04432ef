import yargs from 'yargs'
import type { Argv } from 'yargs'
import { CommandError, EXIT } from './exit.ts'
import { processIo } from './io.ts'
import type { Io } from './io.ts'
import { jsonText } from './json-value.ts'
import { printable } from './style.ts'
import { addCache } from './grammar/cache.ts'
import { addCanary } from './grammar/canary.ts'
import { addCollections } from './grammar/collections.ts'
import { addDashboard } from './grammar/dashboard.ts'
import { addDead } from './grammar/dead.ts'
import { addConfig, addFleet, addHealth } from './grammar/fleet.ts'
import { addFlow } from './grammar/flow.ts'
import { addJob } from './grammar/job.ts'
import { addQueue } from './grammar/queue.ts'
import type { Handler, Run } from './grammar/run.ts'
import { addSchedule } from './grammar/schedule.ts'
import { addWorker } from './grammar/worker.ts'
import { version } from './version.ts'

/**
 * Before each word that stands behind `--`: the parser is to take none for a flag. No word of a process has a NUL; an id that
 * was read from a word may have one.
 */
const PLAIN = '\0behind the dashes\0'

/** Runs one call of the command, errors included; returns its exit code. */
export async function runCommand(words: readonly string[], io: Io = processIo): Promise<number> {
  try {
    return await runCli(words, io)
  } catch (error) {
    return report(error, words, io)
  }
}

/** Reports an error on standard error, and as JSON where that was asked for: whoever did reads standard output. */
function report(error: unknown, words: readonly string[], io: Io): number {
  const { code, message, stack } = error as Error & { code?: string }
  const isForPeople = error instanceof CommandError || code?.startsWith('ARQ_') === true
  const lines = [`arq-ts: ${message.trimStart()}`]
  if (error instanceof CommandError && error.hint !== '') lines.push(...error.hint.split('\n'))
  // Of our own text: the problems of a configuration, one a line, and what a program error looks like.
  const shown = code === 'ARQ_INVALID_CONFIG' ? lines.flatMap((line) => line.split('\n')) : lines
  const text = isForPeople ? shown : String(stack).split('\n')
  for (const line of text) io.stderr.write(`${printable(line)}\n`)
  const flags = words.includes('--') ? words.slice(0, words.indexOf('--')) : words
  if (flags.some((flag) => flag === '--json' || flag === '--json=true')) {
    const failure = { ok: false, error: { code: code ?? 'ARQ_TS_COMMAND', message: message.trim() } }
    io.stdout.write(`${jsonText(failure)}\n`)
  }
  return error instanceof CommandError ? error.exitCode : exitCodeOf(code)
}

/** Exit code of the core's errors: a fault of a job is an answer, all else means that it could not be done. */
function exitCodeOf(code: string | undefined): number {
  return code === 'ARQ_RESULT_NOT_FOUND' || code === 'ARQ_JOB_FAILED' ? EXIT.no : EXIT.cannot
}

/** @throws CommandError, and what the core throws. */
export async function runCli(words: readonly string[], io: Io = processIo): Promise<number> {
  const noun = nouns.find(({ names }) => names.includes(words[0] ?? ''))
  // The grammar of one noun reads its calls as the whole one does, and is built in a third of the time.
  if (noun && !words.some((word) => HELP.has(word))) {
    try {
      return await runBy([noun], words, io)
    } catch (error) {
      if (!(error instanceof Misread)) throw error
    }
  }
  try {
    return await runBy(nouns, words, io)
  } catch (error) {
    throw error instanceof Misread ? await error.explained() : error
  }
}

/** Runs a call by the grammar of these nouns. @throws Misread, CommandError, and what the core throws. */
async function runBy(grammar: readonly Noun[], words: readonly string[], io: Io): Promise<number> {
  const end = words.includes('--') ? words.indexOf('--') : words.length
  const argv = [...words.slice(0, end), ...words.slice(end + 1).map((word) => PLAIN + word)]
  let misuse: { message: string; help: string } | undefined
  const choose: Run = (load) => (args) => {
    throw new Chosen(load, args as object)
  }
  const cli = build(argv, choose, grammar)
    .exitProcess(false)
    .fail((message, error, at) => {
      // The error of a flag's reader comes wrapped.
      if (error?.name === 'YError') throw new CommandError(error.message)
      if (error) throw error
      // yargs passes its usage here, whose help() returns the text.
      misuse = { message, help: (at as unknown as { help: () => string }).help() }
      throw new CommandError(message)
    })
  try {
    await cli.parseAsync()
  } catch (error) {
    if (error instanceof Chosen) return error.run(io)
    throw misuse ? new Misread(misuse.message.replaceAll(PLAIN, ''), misuse.help, argv) : error
  }
  return EXIT.ok
}

/** Thrown for a call that the grammar does not know. */
class Misread extends Error {
  override name = 'Misread'
  readonly #help: string
  readonly #argv: readonly string[]

  constructor(message: string, help: string, argv: readonly string[]) {
    super(message)
    this.#help = help
    this.#argv = argv
  }

  explained(): Promise<CommandError> {
    return explained(this.message, this.#help, this.#argv)
  }
}

/** Thrown by the handler of the chosen verb: a parser that runs the verb itself first draws its help, which takes longer than many a verb. */
class Chosen extends Error {
  override name = 'Chosen'
  readonly #load: () => Promise<Handler>
  readonly #args: object

  constructor(load: () => Promise<Handler>, args: object) {
    super('the command line is read')
    this.#load = load
    this.#args = args
  }

  async run(io: Io): Promise<number> {
    const plain = Object.entries(this.#args).map(([name, value]) => [name, withoutMarks(value)])
    const handler = await this.#load()
    return handler({ ...Object.fromEntries(plain), io } as never)
  }
}

function withoutMarks(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMarks)
  return typeof value === 'string' ? value.replaceAll(PLAIN, '') : value
}

/** Message of yargs, for a person: an unknown flag once, with the likely one; the help where no command was given. */
async function explained(message: string, help: string, argv: readonly string[]): Promise<CommandError> {
  const [, list] = /^Unknown arguments?: (.*)$/s.exec(message) ?? []
  if (/a command is required/.test(message)) return new CommandError(message, EXIT.cannot, `\n${help}`)
  if (message.startsWith('Not enough')) return new CommandError(`missing argument; usage: ${help.split('\n')[0]}`)
  if (list === undefined) return new CommandError(message)
  const names = list.split(', ')
  // Each flag comes as it was written and in camel case.
  const written = names.filter((name) => !/[A-Z]/.test(name) || !names.includes(kebab(name)))
  const { default: leven } = await import('leven')
  const namesOf = (pattern: RegExp) => [...help.matchAll(pattern)].map(([, name]) => name!)
  const [flags, commands] = [namesOf(/--([a-z][a-z-]+)/g), namesOf(/^ +arq-ts(?: [a-z]+)* ([a-z]+)/gm)]
  const isFlag = (name: string) => argv.some((word) => word === `--${name}` || word.startsWith(`--${name}=`))
  const words = written.filter((name) => !isFlag(name))
  // Words after an unknown command are unknown for that reason alone.
  const quoted = [...words.slice(0, 1), ...written.filter(isFlag)].map((name) => {
    const [dashes, known] = isFlag(name) ? ['--', flags] : ['', commands]
    const likely = known.find((each) => leven(each, kebab(name)) <= Math.min(2, name.length / 3))
    return likely ? `${dashes}${name} (did you mean ${dashes}${likely}?)` : `${dashes}${name}`
  })
  return new CommandError(`unknown: ${quoted.join(', ')}; --help shows what there is`)
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** Verbs under one or several first words. */
export interface Noun {
  names: readonly string[]
  add: (yargs: Argv, run: Run) => Argv
}

const HELP: ReadonlySet<string> = new Set(['--help', '-h', '--version', '-V'])
export const nouns: readonly Noun[] = [
  { names: ['worker'], add: addWorker },
  { names: ['health'], add: addHealth },
  { names: ['queue'], add: addQueue },
  { names: ['job'], add: addJob },
  { names: ['dead'], add: addDead },
  { names: ['flow'], add: addFlow },
  { names: ['cache'], add: addCache },
  { names: ['collections'], add: addCollections },
  { names: ['canary'], add: addCanary },
  { names: ['schedule'], add: addSchedule },
  { names: ['doctor', 'workers', 'cron', 'top', 'events', 'exporter'], add: addFleet },
  { names: ['dashboard'], add: addDashboard },
  { names: ['config'], add: addConfig },
]

/** The parser of the verbs of these nouns, of all by default; `run` makes the handler of each. */
export function build(argv: readonly string[], run: Run, grammar: readonly Noun[] = nouns): Argv {
  const globals = yargs([...argv])
    .scriptName('arq-ts')
    // Else yargs takes the locale of the machine: half of a help in another language, and messages that `explained` cannot read.
    .locale('en')
    // Arguments of jobs are read by us, digit by digit.
    .parserConfiguration({ 'parse-positional-numbers': false })
    .usage('$0 <command>\n\nRun and operate ARQ workers and queues, shared with Python arq.')
    .option('config', {
      alias: 'c',
      string: true,
      requiresArg: true,
      global: true,
      describe: 'file with a `task_queue` section [arq-ts.yaml, .toml or .json]',
    })
    .option('redis', {
      string: true,
      requiresArg: true,
      global: true,
      describe: 'redis://user:password@host:6379/1; wins over the configuration',
    })
    .option('env-prefix', {
      string: true,
      requiresArg: true,
      global: true,
      describe: 'what settings in the environment begin with [ARQ_TS_]',
    })
    .option('json', { boolean: true, global: true, describe: 'data as JSON' }) as unknown as Argv
  return grammar
    .reduce((cli, { add }) => add(cli, run), globals)
    .example('$0 worker ./tasks.ts --workers 4', 'a pool for the tasks of a module')
    .example('$0 queue ls', 'every queue in numbers')
    .example('$0 job enqueue resize path=a.png --wait', 'enqueue, and wait for the result')
    .example('$0 dead retry --function resize --dry-run', 'what would run again')
    .completion('completion', 'a completion script for bash or zsh')
    .demandCommand(1, 'a command is required')
    .strict()
    .version(version)
    .alias('version', 'V')
    .help()
    .alias('help', 'h')
    .wrap(Math.min(100, process.stdout.columns ?? 100))
    .epilogue(
      'Exit codes: 0 all is well, 1 check failed or nothing found, 2 usage, configuration or connection error.\nSettings: arq-ts config show',
    )
}
