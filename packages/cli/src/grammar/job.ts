import type { Argv } from 'yargs'
import {
  durationOption,
  idArgument,
  idsArgument,
  instant,
  jobChoice,
  jobFilter,
  limitOption,
  queueArgument,
  queueOption,
} from './flags.ts'
import type { Handler, Run } from './run.ts'

const job = (name: 'show' | 'explain' | 'enqueue' | 'watch') => async () =>
  (await import('../commands/job.ts'))[name] as unknown as Handler
const list = async () => (await import('../commands/job-list.ts')).list as Handler
const bulk = (name: 'abort' | 'retry' | 'remove' | 'runNow' | 'move') => async () =>
  (await import('../commands/job-bulk.ts'))[name] as Handler

/** `job` */
export function addJob(yargs: Argv, run: Run): Argv {
  return yargs.command('job', 'jobs: ls, show, explain, enqueue, watch, abort, retry, run-now, move, rm', (y) =>
    addActs(addLooks(y, run), run).demandCommand(
      1,
      'job: a command is required: ls, show, explain, enqueue, watch, abort, retry, run-now, move or rm',
    ),
  )
}

function addLooks(yargs: Argv, run: Run): Argv {
  return yargs
    .command(
      'ls',
      'list jobs of all queues and both languages',
      (z) =>
        z
          .options({ ...jobFilter, limit: limitOption(50) })
          .example('$0 job ls --status failed --status dead', 'what went wrong')
          .example('$0 job ls --text ann@example.org --older-than 1h', ''),
      run(list),
    )
    .command(
      'show <id>',
      'show everything about one job',
      (z) => z.positional('id', idArgument).options({ queue: queueOption }),
      run(job('show')),
    )
    .command(
      'explain <id>',
      'explain why it runs, or does not; exit 1 while something keeps it',
      (z) => z.positional('id', idArgument).options({ queue: queueOption }),
      run(job('explain')),
    )
    .command(
      'watch <id>',
      'report its states until it ends; exit 0 when it ended well',
      (z) =>
        z
          .positional('id', idArgument)
          .options({ queue: queueOption, timeout: durationOption('wait at most this long') }),
      run(job('watch')),
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
            defer: durationOption('delay before it is due: 30s, 5m'),
            at: {
              string: true,
              requiresArg: true,
              coerce: instant,
              conflicts: 'defer',
              describe: 'time at which it is due',
            },
            expires: durationOption('time after which it is not started any more'),
            'job-id': { string: true, requiresArg: true, describe: 'makes the job unique' },
            codec: { choices: ['msgpack', 'pickle', 'json'] as const, describe: 'how it is written' },
            wait: { boolean: true, describe: 'wait for its end; exit 0 when it ended well' },
            timeout: { ...durationOption('wait at most this long'), implies: 'wait' },
          })
          .example('$0 job enqueue delete_collection collection_name=old grace_period_minutes=60 --defer 1h', '')
          .example('$0 job enqueue resize \'{"path": "a.png"}\' 800 --codec pickle --wait', ''),
      run(job('enqueue')),
    )
}

function addActs(yargs: Argv, run: Run): Argv {
  return yargs
    .command(
      'abort [ids..]',
      'abort jobs, queued or running; one alone is waited for',
      (z) =>
        z.positional('ids', idsArgument).options({
          ...jobChoice,
          timeout: { ...durationOption('wait at most this long [10s]'), default: '10s' as unknown as number },
        }),
      run(bulk('abort')),
    )
    .command(
      'retry [ids..]',
      'run failed, aborted or dead jobs again',
      (z) =>
        z
          .positional('ids', idsArgument)
          .options({ ...jobChoice, delay: durationOption('delay before they are due') })
          .example('$0 job retry --status failed --function resize --dry-run', ''),
      run(bulk('retry')),
    )
    .command(
      'run-now [ids..]',
      'make deferred or retrying jobs due now',
      (z) => z.positional('ids', idsArgument).options(jobChoice),
      run(bulk('runNow')),
    )
    .command(
      'move [ids..]',
      'move waiting jobs to another queue',
      (z) =>
        z.positional('ids', idsArgument).options({
          ...jobChoice,
          to: { ...queueArgument, demandOption: true, requiresArg: true, describe: 'the other queue' },
        }),
      run(bulk('move')),
    )
    .command(
      'rm [ids..]',
      'remove jobs with everything that is kept of them',
      (z) =>
        z
          .positional('ids', idsArgument)
          .options({ ...jobChoice, force: { boolean: true, describe: 'running ones too' } }),
      run(bulk('remove')),
    )
}
