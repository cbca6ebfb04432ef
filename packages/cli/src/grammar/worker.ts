import type { Argv } from 'yargs'
import { countOption, portOption, queuesOption } from './flags.ts'
import type { Run } from './run.ts'

const worker = async () => (await import('../commands/worker.ts')).worker as never

/** `worker` */
export function addWorker(yargs: Argv, run: Run): Argv {
  return yargs.command(
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
          queue: { ...queuesOption, describe: 'queue, or queue=weight; repeatable, first served first' },
          'queue-order': { choices: ['strict', 'weighted'] as const, describe: 'how several queues are served' },
          use: { string: true, array: true, requiresArg: true, describe: 'a task package, such as @arq-ts/qdrant' },
          burst: { boolean: true, describe: 'stop when the queues are empty' },
          'max-burst-jobs': countOption('stop after this many jobs'),
          check: { boolean: true, describe: 'check whether a worker is healthy, as arq --check; exit 0 or 1' },
          watch: {
            string: true,
            array: true,
            requiresArg: true,
            describe: 'reload when something in this folder changes',
          },
          name: { string: true, requiresArg: true, describe: "part of the workers' ids" },
          'metrics-port': portOption('serve /metrics, /healthz and /readyz there'),
          'metrics-host': { string: true, requiresArg: true, describe: 'address that they listen on [127.0.0.1]' },
          'log-format': {
            choices: ['pretty', 'json'] as const,
            describe: 'default: pretty on a terminal, else json',
          },
          recorder: { boolean: true, describe: 'record what jobs did; --no-recorder to record nothing [true]' },
          verbose: { alias: 'v', count: true, describe: 'more log lines; -vv for all' },
          quiet: { boolean: true, describe: 'warnings and errors only' },
        })
        .example('$0 worker ./tasks.ts', 'the tasks a module exports')
        .example('$0 worker --workers 2 --max-jobs 20 --queue high_priority', 'task packages of the configuration')
        .example('$0 worker ./tasks.ts --queue high=3 --queue low --watch src', 'weighted queues, reloading on change')
        .epilogue('Signals: SIGTERM or Ctrl-C drains, a second one stops at once, SIGHUP reloads without a gap.'),
    run(worker),
  )
}
