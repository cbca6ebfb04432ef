import type { Argv } from 'yargs'
import { durationOption, instant, limitOption, queueOption } from './flags.ts'
import type { Handler, Run } from './run.ts'

type Name = 'list' | 'show' | 'put' | 'remove' | 'pause' | 'resume' | 'run'
const schedule = (name: Name) => async () => (await import('../commands/schedule.ts'))[name] as unknown as Handler
const nameArgument = { string: true, demandOption: true, describe: 'its name' } as const
const verbs = 'ls, show, put, rm, pause, resume, run'

/** `schedule` */
export function addSchedule(yargs: Argv, run: Run): Argv {
  return yargs.command('schedule', `schedules at run time: ${verbs}`, (y) => addPut(addActs(y, run), run))
}

function addActs(yargs: Argv, run: Run): Argv {
  const act = (y: Argv, verb: string, about: string, name: Name) =>
    y.command(`${verb} <name>`, about, (z) => z.positional('name', nameArgument), run(schedule(name)))
  const acts = [
    ['show', 'show everything about one schedule', 'show'],
    ['rm', 'remove a schedule; jobs that it enqueued stay', 'remove'],
    ['pause', 'pause a schedule until it is resumed', 'pause'],
    ['resume', 'resume a paused schedule, from now on', 'resume'],
    ['run', 'enqueue the job of a schedule now, in addition to its ticks', 'run'],
  ] as const
  return acts
    .reduce(
      (y, [verb, about, name]) => act(y, verb, about, name),
      yargs.command(
        'ls',
        'list schedules, and when each ticks next',
        (z) => z.options({ limit: limitOption(500) }),
        run(schedule('list')),
      ),
    )
    .demandCommand(1, `schedule: a command is required: ${verbs}`)
    .example("$0 schedule put digest:42 send_digest user=42 --cron '0 8 * * *'", 'each morning')
    .example('$0 schedule pause digest:42', 'until schedule resume')
}

function addPut(yargs: Argv, run: Run): Argv {
  return yargs.command(
    'put <name> <function> [args..]',
    'make a schedule, or change the one of that name',
    (z) =>
      z
        .positional('name', nameArgument)
        .positional('function', { string: true, demandOption: true, describe: 'its name on the wire' })
        .positional('args', { string: true, array: true, describe: 'JSON or text; key=value is a keyword' })
        .options({
          cron: { string: true, requiresArg: true, describe: 'expression of five fields, or six with seconds' },
          'time-zone': { string: true, requiresArg: true, implies: 'cron', describe: 'zone of the expression [UTC]' },
          every: { ...durationOption('time between ticks, counted from 1970'), conflicts: 'cron' },
          at: {
            string: true,
            requiresArg: true,
            coerce: instant,
            conflicts: ['cron', 'every'],
            describe: 'time of its only tick',
          },
          overlap: { choices: ['allow', 'skip'] as const, describe: 'while the job before is queued or runs [allow]' },
          missed: {
            choices: ['skip', 'latest', 'all'] as const,
            describe: 'ticks that no worker enqueued within a minute [skip]',
          },
          codec: { choices: ['msgpack', 'pickle', 'json'] as const, describe: 'how its jobs are written' },
          queue: { ...queueOption, describe: 'queue of its jobs [of the configuration]' },
        })
        .example("$0 schedule put report make_report --cron '0 8 * * mon' --time-zone Europe/Berlin", '')
        .example('$0 schedule put poll poll_feed url=https://a.example --every 5m --overlap skip --codec pickle', ''),
    run(schedule('put')),
  )
}
