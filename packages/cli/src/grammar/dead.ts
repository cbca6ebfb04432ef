import type { Argv } from 'yargs'
import { deadChoice, deadFilter, durationOption, idArgument, idsArgument, limitOption } from './flags.ts'
import type { Handler, Run } from './run.ts'

const dead = (name: 'list' | 'show' | 'retry' | 'purge') => async () =>
  (await import('../commands/dead.ts'))[name] as Handler

/** `dead` */
export function addDead(yargs: Argv, run: Run): Argv {
  return yargs.command('dead', 'dead letters: ls, show, retry, purge', (y) =>
    y
      .command(
        'ls',
        'list jobs that failed for good, newest first',
        (z) =>
          z
            .options({
              ...deadFilter,
              'group-by': { choices: ['function', 'error', 'queue'] as const, describe: 'count them by this' },
              limit: limitOption(50),
            })
            .example('$0 dead ls --group-by error', 'the errors behind them, the most frequent first'),
        run(dead('list')),
      )
      .command('show <id>', 'show one of them', (z) => z.positional('id', idArgument), run(dead('show')))
      .command(
        'retry [ids..]',
        'run them again',
        (z) =>
          z
            .positional('ids', idsArgument)
            .options({ ...deadChoice, delay: durationOption('delay before they are due') })
            .example('$0 dead retry --function send_mail --error timeout --dry-run', ''),
        run(dead('retry')),
      )
      .command(
        'purge [ids..]',
        'remove them for good',
        (z) => z.positional('ids', idsArgument).options(deadChoice),
        run(dead('purge')),
      )
      .demandCommand(1, 'dead: a command is required: ls, show, retry or purge'),
  )
}
