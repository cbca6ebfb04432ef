import type { Argv } from 'yargs'
import type * as commands from '../commands/queue.ts'
import { bulkOptions, countOption, deepOption, limitOption, queueArgument } from './flags.ts'
import type { Handler, Run } from './run.ts'

const queue = (name: 'list' | 'show' | 'pause' | 'resume' | 'purge') => async () =>
  ((await import('../commands/queue.ts')) as typeof commands)[name] as Handler

/** `queue` */
export function addQueue(yargs: Argv, run: Run): Argv {
  return yargs.command('queue', 'queues: ls, show, history, pause, resume, purge', (y) =>
    y
      .command(
        'ls',
        'list all queues with their numbers',
        (z) => z.options({ deep: deepOption, limit: limitOption(1_000) }),
        run(queue('list')),
      )
      .command('show [name]', 'show one queue', (z) => z.positional('name', queueArgument), run(queue('show')))
      .command(
        'history [name]',
        'show what arq-ts workers did in each queue, day by day',
        (z) =>
          z
            .positional('name', { ...queueArgument, describe: 'one queue [all]' })
            .options({ days: { ...countOption('how many days, today among them; 35 are kept [7]'), default: 7 } }),
        run(async () => (await import('../commands/queue-history.ts')).history as Handler),
      )
      .command(
        'pause [name]',
        'let arq-ts workers start no more of its jobs',
        (z) =>
          z
            .positional('name', queueArgument)
            .options({ force: { boolean: true, describe: 'pause a queue that nothing is known of' } }),
        run(queue('pause')),
      )
      .command('resume [name]', 'end a pause', (z) => z.positional('name', queueArgument), run(queue('resume')))
      .command(
        'purge <name>',
        'remove all its jobs that do not run',
        (z) => z.positional('name', { ...queueArgument, demandOption: true }).options(bulkOptions),
        run(queue('purge')),
      )
      .demandCommand(1, 'queue: a command is required: ls, show, history, pause, resume or purge')
      .example('$0 queue ls', 'what LLEN does not say'),
  )
}
