import yargs from 'yargs'
import type { Argv } from 'yargs'
import type * as deadCommands from './commands/dead.ts'
import type * as jobCommands from './commands/job.ts'
import type * as queueCommands from './commands/queue.ts'
import { CommandError, EXIT } from './exit.ts'
import {
  bulkOptions,
  countOption,
  deadChoice,
  deadFilter,
  durationOption,
  idArgument,
  instant,
  portOption,
  queueArgument,
  queueOption,
} from './flags.ts'
import { version } from './version.ts'

/** A command's handler, loaded when it is called: `--help` reads none of them. */
type Handler = (args: never) => Promise<number>

const job = (name: keyof typeof jobCommands) => async () =>
  (await import('./commands/job.ts'))[name] as unknown as Handler
const queue = (name: keyof typeof queueCommands) => async () => (await import('./commands/queue.ts'))[name] as Handler
const dead = (name: keyof typeof deadCommands) => async () => (await import('./commands/dead.ts'))[name] as Handler
const fleet = (name: 'workers' | 'cron' | 'events') => async () =>
  (await import('./commands/fleet.ts'))[name] as Handler
const health = (name: 'health' | 'doctor') => async () => (await import('./commands/health.ts'))[name] as Handler
const config = (name: 'show' | 'check' | 'schema') => async () =>
  (await import('./commands/config.ts'))[name] as Handler
const worker = async () => (await import('./commands/worker.ts')).worker as Handler
const top = async () => (await import('./top/top.ts')).top as Handler

/** Before each word that stands behind `--`: the parser is to take none for a flag. No word of a process has a NUL. */
const PLAIN = '\0'

/** Runs one call of the command; gives its exit code. @throws CommandError, and what the core throws. */
export async function runCli(words: readonly string[]): Promise<number> {
  const end = words.includes('--') ? words.indexOf('--') : words.length
  const argv = [...words.slice(0, end), ...words.slice(end + 1).map((word) => PLAIN + word)]
  let exitCode: number = EXIT.ok
  const run = (load: () => Promise<Handler>) => async (args: unknown) => {
    const plain = Object.entries(args as object).map(([name, value]) => [name, withoutMarks(value)])
    exitCode = await (await load())(Object.fromEntries(plain) as never)
  }
  let misuse: { message: string; help: string } | undefined
  const cli = build(argv, run)
    .exitProcess(false)
    .fail((message, error, at) => {
      // What a flag's reader throws comes wrapped.
      if (error?.name === 'YError') throw new CommandError(error.message)
      if (error) throw error
      // What yargs hands over here is its usage, whose help() gives the text.
      misuse = { message, help: (at as unknown as { help: () => string }).help() }
      throw new CommandError(message)
    })
  try {
    await cli.parseAsync()
  } catch (error) {
    throw misuse ? await explained(misuse.message.replaceAll(PLAIN, ''), misuse.help, argv) : error
  }
  return exitCode
}

function withoutMarks(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMarks)
  return typeof value === 'string' ? value.replaceAll(PLAIN, '') : value
}

/** What yargs says, for a person: an unknown flag once, with the likely one; the help where no command was given. */
async function explained(message: string, help: string, argv: readonly string[]): Promise<CommandError> {
  const [, list] = /^Unknown arguments?: (.*)$/s.exec(message) ?? []
  if (/say what to do/.test(message)) return new CommandError(`${message}\n\n${help}`)
  if (message.startsWith('Not enough')) return new CommandError(`something is missing; usage: ${help.split('\n')[0]}`)
  if (list === undefined) return new CommandError(message)
  const names = list.split(', ')
  // Each flag comes as it was written and in camel case.
  const written = names.filter((name) => !/[A-Z]/.test(name) || !names.includes(kebab(name)))
  const { default: leven } = await import('leven')
  const namesOf = (pattern: RegExp) => [...help.matchAll(pattern)].map(([, name]) => name!)
  const [flags, commands] = [namesOf(/--([a-z][a-z-]+)/g), namesOf(/^ +arq-ts(?: [a-z]+)* ([a-z]+)/gm)]
  const isFlag = (name: string) => argv.some((word) => word === `--${name}` || word.startsWith(`--${name}=`))
  const words = written.filter((name) => !isFlag(name))
  // What follows a command that there is not is unknown for that reason alone.
  const told = [...words.slice(0, 1), ...written.filter(isFlag)].map((name) => {
    const [dashes, known] = isFlag(name) ? ['--', flags] : ['', commands]
    const likely = known.find((each) => leven(each, kebab(name)) <= Math.min(2, name.length / 3))
    return likely ? `${dashes}${name} (did you mean ${dashes}${likely}?)` : `${dashes}${name}`
  })
  return new CommandError(`unknown: ${told.join(', ')}; --help shows what there is`)
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

type Run = (load: () => Promise<Handler>) => (args: unknown) => Promise<void>

function build(argv: readonly string[], run: Run): Argv {
  return (
    yargs([...argv])
      .scriptName('arq-ts')
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
      .option('json', { boolean: true, global: true, describe: 'data as JSON' })
      .command(
        'worker [settings..]',
        'run workers: a supervised pool of processes',
        (y) =>
          y
            .positional('settings', {
              string: true,
              array: true,
              describe: 'settings modules, TypeScript or JavaScript',
            })
            .options({
              workers: { number: true, requiresArg: true, describe: 'processes' },
              'max-jobs': { number: true, requiresArg: true, describe: 'jobs at a time per process' },
              queue: {
                string: true,
                array: true,
                requiresArg: true,
                alias: 'q',
                describe: 'queue, or queue=weight; repeatable, first served first',
              },
              'queue-order': { choices: ['strict', 'weighted'] as const, describe: 'how several queues are served' },
              use: { string: true, array: true, requiresArg: true, describe: 'a task package, such as @arq-ts/qdrant' },
              burst: { boolean: true, describe: 'stop when the queues are empty' },
              'max-burst-jobs': countOption('stop after so many jobs'),
              check: { boolean: true, describe: 'tell whether a worker is healthy, as arq --check; exit 0 or 1' },
              watch: {
                string: true,
                array: true,
                requiresArg: true,
                describe: 'reload when something in this folder changes',
              },
              name: { string: true, requiresArg: true, describe: "part of the workers' ids" },
              'metrics-port': portOption('serve /metrics, /healthz and /readyz there'),
              'log-format': {
                choices: ['pretty', 'json'] as const,
                describe: 'default: pretty on a terminal, else json',
              },
              verbose: { alias: 'v', count: true, describe: 'more log lines; -vv for all' },
              quiet: { boolean: true, describe: 'warnings and errors only' },
            })
            .example('$0 worker ./tasks.ts', 'the tasks a module exports')
            .example('$0 worker --workers 2 --max-jobs 20 --queue high_priority', 'task packages of the configuration')
            .example(
              '$0 worker ./tasks.ts --queue high=3 --queue low --watch src',
              'weighted queues, reloading on change',
            )
            .epilogue('Signals: SIGTERM or Ctrl-C drains, a second one stops at once, SIGHUP reloads without a gap.'),
        run(worker),
      )
      .command(
        'health',
        'whether workers are healthy; exit 0 or 1',
        (y) =>
          y
            .options({
              queue: { ...queueOption, array: true },
              deep: { boolean: true, describe: 'also Redis, live workers, the oldest due job, the eviction policy' },
              'max-age': {
                ...durationOption('how long a job may be due before that is unhealthy [5m]'),
                default: '5m' as unknown as number,
              },
            })
            .example('$0 health --deep --max-age 1m', 'for alerts'),
        run(health('health')),
      )
      .command(
        'doctor',
        'find what is wrong, and mend it; exit 1 while something is',
        (y) =>
          y
            .options({
              queue: { ...queueOption, array: true, describe: 'look at these queues only' },
              fix: { boolean: true, describe: 'mend what can be mended' },
              limit: countOption('jobs looked at per queue [50000]'),
            })
            .example('$0 doctor --fix', ''),
        run(health('doctor')),
      )
      .command('queue', 'queues: ls, show, pause, resume, purge', (y) =>
        y
          .command(
            'ls',
            'all queues in numbers',
            (z) => z.options({ scan: { boolean: true, describe: 'look through a large database as a whole' } }),
            run(queue('list')),
          )
          .command('show [name]', 'one queue', (z) => z.positional('name', queueArgument), run(queue('show')))
          .command(
            'pause [name]',
            'arq-ts workers start no more jobs of it',
            (z) => z.positional('name', queueArgument),
            run(queue('pause')),
          )
          .command('resume [name]', 'end a pause', (z) => z.positional('name', queueArgument), run(queue('resume')))
          .command(
            'purge <name>',
            'remove all its jobs that do not run',
            (z) => z.positional('name', { ...queueArgument, demandOption: true }).options(bulkOptions),
            run(queue('purge')),
          )
          .demandCommand(1, 'queue: say what to do: ls, show, pause, resume or purge')
          .example('$0 queue ls', 'what LLEN would not tell'),
      )
      .command('job', 'jobs: ls, show, enqueue, abort, retry, rm, watch', (y) =>
        y
          .command(
            'ls',
            'jobs of a queue, in the order they are due',
            (z) =>
              z.options({
                queue: queueOption,
                status: { choices: ['queued', 'deferred', 'in_progress'] as const, describe: 'only these' },
                function: { string: true, requiresArg: true, describe: 'only of this function' },
                limit: { ...countOption('at most so many'), default: 50 },
              }),
            run(job('list')),
          )
          .command(
            'show <id>',
            'all about one job',
            (z) => z.positional('id', idArgument).options({ queue: queueOption }),
            run(job('show')),
          )
          .command(
            'enqueue <function> [args..]',
            'enqueue a call',
            (z) =>
              z
                .positional('function', { string: true, demandOption: true, describe: 'its name on the wire' })
                .positional('args', { string: true, array: true, describe: 'JSON or text; key=value is a keyword' })
                .options({
                  queue: queueOption,
                  defer: durationOption('due so long from now: 30s, 5m'),
                  at: {
                    string: true,
                    requiresArg: true,
                    coerce: instant,
                    conflicts: 'defer',
                    describe: 'due at this time',
                  },
                  expires: durationOption('not to be started later than so long from now'),
                  'job-id': { string: true, requiresArg: true, describe: 'makes the job unique' },
                  codec: { choices: ['msgpack', 'pickle', 'json'] as const, describe: 'how it is written' },
                  wait: { boolean: true, describe: 'wait for its end; exit 0 when it ended well' },
                  timeout: { ...durationOption('wait at most so long'), implies: 'wait' },
                })
                .example('$0 job enqueue delete_collection collection_name=old grace_period_minutes=60 --defer 1h', '')
                .example('$0 job enqueue resize \'{"path": "a.png"}\' 800 --codec pickle --wait', ''),
            run(job('enqueue')),
          )
          .command(
            'abort <id>',
            'abort it, queued or running',
            (z) =>
              z.positional('id', idArgument).options({
                queue: queueOption,
                timeout: { ...durationOption('wait at most so long [10s]'), default: '10s' as unknown as number },
              }),
            run(job('abort')),
          )
          .command(
            'retry <id>',
            'run a failed job again',
            (z) => z.positional('id', idArgument).options({ delay: durationOption('so long from now') }),
            run(job('retry')),
          )
          .command(
            'rm <ids..>',
            'remove jobs with all that is kept of them',
            (z) =>
              z
                .positional('ids', { string: true, array: true, demandOption: true })
                .options({ queue: queueOption, force: { boolean: true, describe: 'running ones too' } }),
            run(job('remove')),
          )
          .command(
            'watch <id>',
            'tell its stages until it ends; exit 0 when it ended well',
            (z) =>
              z
                .positional('id', idArgument)
                .options({ queue: queueOption, timeout: durationOption('at most so long') }),
            run(job('watch')),
          )
          .demandCommand(1, 'job: say what to do: ls, show, enqueue, abort, retry, rm or watch'),
      )
      .command('dead', 'dead letters: ls, show, retry, purge', (y) =>
        y
          .command(
            'ls',
            'jobs that failed for good, newest first',
            (z) =>
              z.options({
                ...deadFilter,
                limit: { ...countOption('at most so many'), default: 50 },
              }),
            run(dead('list')),
          )
          .command('show <id>', 'one of them', (z) => z.positional('id', idArgument), run(dead('show')))
          .command(
            'retry [ids..]',
            'run them again',
            (z) =>
              z
                .positional('ids', { string: true, array: true })
                .options({ ...deadChoice, delay: durationOption('so long from now') })
                .example('$0 dead retry --function send_mail --error timeout --dry-run', ''),
            run(dead('retry')),
          )
          .command(
            'purge [ids..]',
            'remove them for good',
            (z) => z.positional('ids', { string: true, array: true }).options(deadChoice),
            run(dead('purge')),
          )
          .demandCommand(1, 'dead: say what to do: ls, show, retry or purge'),
      )
      .command(
        'workers',
        'live arq-ts workers',
        (y) => y.options({ functions: { boolean: true, describe: 'with the functions they have' } }),
        run(fleet('workers')),
      )
      .command('cron', 'cron jobs: ls', (y) =>
        y
          .command('ls', 'cron jobs of live workers, and their next runs', (z) => z, run(fleet('cron')))
          .demandCommand(1, 'cron: say what to do: ls'),
      )
      .command(
        'top',
        'a live view of queues, workers and running jobs',
        (y) => y.options({ interval: { ...durationOption('between looks [1s]'), default: '1s' as unknown as number } }),
        run(top),
      )
      .command(
        'events',
        'what arq-ts workers do, as it happens',
        (y) =>
          y.options({
            queue: { ...queueOption, describe: 'only of this queue' },
            function: { string: true, requiresArg: true, describe: 'only of this function' },
            count: countOption('end after so many'),
          }),
        run(fleet('events')),
      )
      .command('config', 'the settings: show, check, schema', (y) =>
        y
          .command('show', 'every setting, its value and where it comes from', (z) => z, run(config('show')))
          .command('check', 'whether they are right, and which line is not', (z) => z, run(config('check')))
          .command('schema', 'a JSON schema for editors', (z) => z, run(config('schema')))
          .demandCommand(1, 'config: say what to do: show, check or schema'),
      )
      .example('$0 worker ./tasks.ts --workers 4', 'a pool for the tasks of a module')
      .example('$0 queue ls', 'every queue in numbers')
      .example('$0 job enqueue resize path=a.png --wait', 'enqueue, and wait for the result')
      .example('$0 dead retry --function resize --dry-run', 'what would run again')
      .completion('completion', 'a completion script for bash or zsh')
      .demandCommand(1, 'say what to do')
      .strict()
      .version(version)
      .alias('version', 'V')
      .help()
      .alias('help', 'h')
      .wrap(Math.min(100, process.stdout.columns ?? 100))
      .epilogue('Exit codes: 0 all is well, 1 the answer is no, 2 it could not be done.\nSettings: arq-ts config show')
  )
}
