import type { Argv } from 'yargs'
import { countOption, deepOption, durationOption, portOption, queueOption, queuesOption } from './flags.ts'
import type { Handler, Run } from './run.ts'

const fleet = (name: 'workers' | 'events') => async () => (await import('../commands/fleet.ts'))[name] as Handler
const cron = (name: 'list' | 'pause' | 'resume') => async () =>
  (await import('../commands/cron.ts'))[name] as unknown as Handler
const health = (name: 'health' | 'doctor') => async () => (await import('../commands/health.ts'))[name] as Handler
const exporter = async () => (await import('../commands/exporter.ts')).exporter as Handler
const top = async () => (await import('../top/top.ts')).top as Handler
const cronHistory = async () => (await import('../commands/cron-history.ts')).cronHistory as Handler
const config = (name: 'show' | 'check' | 'schema') => async () =>
  (await import('../commands/config.ts'))[name] as Handler

const quiet = (name: 'quiet' | 'resume') => async () => (await import('../commands/quiet.ts'))[name] as Handler
const workersArgument = {
  string: true,
  array: true,
  describe: 'ids of workers, as `arq-ts workers` lists them',
} as const
const cronName = { string: true, demandOption: true, describe: 'cron job, as `arq-ts cron ls` names it' } as const
const workerChoice = {
  all: { boolean: true, describe: 'all that live now' },
  queue: { ...queueOption, describe: 'those that serve this queue' },
  timeout: { ...durationOption('wait at most this long until they follow [5s]'), default: '5s' as unknown as number },
} as const

/** `health` and `doctor` */
export function addHealth(yargs: Argv, run: Run): Argv {
  return yargs
    .command(
      'health',
      'check whether workers are healthy; exit 0 or 1',
      (y) =>
        y
          .options({
            queue: { ...queuesOption, describe: 'check this queue; repeatable [of the configuration]' },
            deep: {
              boolean: true,
              describe: 'also Redis, live workers, due jobs, queues that nothing listens to, the eviction policy',
            },
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
      'diagnose problems and repair them (--fix); exit 1 if any remain',
      (y) =>
        y
          .options({
            queue: { ...queuesOption, describe: 'look at this queue only; repeatable [all]' },
            fix: { boolean: true, describe: 'repair what can be repaired' },
            limit: countOption('look at this many jobs per queue [all]'),
          })
          .example('$0 doctor --fix', ''),
      run(health('doctor')),
    )
}

/** `workers`, `cron`, `top`, `events` and `exporter` */
export function addFleet(yargs: Argv, run: Run): Argv {
  return yargs
    .command(
      'workers',
      'list live workers of both languages, or drain some: quiet, resume',
      (y) =>
        y
          .options({ functions: { boolean: true, describe: 'with the functions they have' }, deep: deepOption })
          .command(
            'quiet [ids..]',
            'let arq-ts workers claim nothing more and end what they run',
            (z) => z.positional('ids', workersArgument).options(workerChoice),
            run(quiet('quiet')),
          )
          .command(
            'resume [ids..]',
            'let quiet workers claim jobs again',
            (z) => z.positional('ids', workersArgument).options(workerChoice),
            run(quiet('resume')),
          )
          .example('$0 workers quiet host:123:9f2c', 'before it is stopped or replaced'),
      run(fleet('workers')),
    )
    .command('cron', 'cron jobs: ls, history, pause, resume', (y) =>
      y
        .command('ls', 'list cron jobs of live workers, and their next runs', (z) => z, run(cron('list')))
        .command(
          'pause <name>',
          'stop the ticks of a cron job on all arq-ts workers',
          (z) =>
            z
              .positional('name', cronName)
              .options({ force: { boolean: true, describe: 'even if no live worker has it' } })
              .example('$0 cron pause cron:nightly', 'until cron resume'),
          run(cron('pause')),
        )
        .command(
          'resume <name>',
          'resume the ticks of a paused cron job',
          (z) => z.positional('name', cronName),
          run(cron('resume')),
        )
        .command(
          'history [name]',
          'show the last ticks: ran, late, overlapping, left out, missed',
          (z) =>
            z
              .positional('name', { string: true, describe: 'only this cron job' })
              .options({ limit: { ...countOption('show at most this many ticks [50]'), default: 50 } })
              .example('$0 cron history cron:nightly', ''),
          run(cronHistory),
        )
        .demandCommand(1, 'cron: a command is required: ls, history, pause or resume'),
    )
    .command(
      'top',
      'watch queues, workers and running jobs live',
      (y) => y.options({ interval: { ...durationOption('between looks [1s]'), default: '1s' as unknown as number } }),
      run(top),
    )
    .command(
      'events',
      'print what arq-ts workers do, as it happens',
      (y) =>
        y.options({
          queue: { ...queueOption, describe: 'only of this queue' },
          function: { string: true, requiresArg: true, describe: 'only of this function' },
          count: countOption('exit after this many events'),
        }),
      run(fleet('events')),
    )
    .command(
      'exporter',
      'serve metrics of all queues for Prometheus',
      (y) =>
        y.options({
          port: { ...portOption('port to listen on'), default: 9464 },
          host: { string: true, requiresArg: true, describe: 'address to listen on [127.0.0.1]' },
        }),
      run(exporter),
    )
}

/** `config` */
export function addConfig(yargs: Argv, run: Run): Argv {
  return yargs.command('config', 'the settings: show, check, schema', (y) =>
    y
      .command('show', 'show every setting, its value and where it comes from', (z) => z, run(config('show')))
      .command('check', 'check the settings, and name the line that is wrong', (z) => z, run(config('check')))
      .command('schema', 'print a JSON schema for editors', (z) => z, run(config('schema')))
      .demandCommand(1, 'config: a command is required: show, check or schema'),
  )
}
