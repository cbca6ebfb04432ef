import type { Argv } from 'yargs'
import { bulkOptions, countOption, durationOption, queueOption } from './flags.ts'
import type { Handler, Run } from './run.ts'

const cache = (name: 'list' | 'show' | 'flush') => async () => (await import('../commands/cache.ts'))[name] as Handler

/** `cache` */
export function addCache(yargs: Argv, run: Run): Argv {
  return yargs.command('cache', 'the write-behind cache: ls, show, flush', (y) => addCommands(y, run))
}

function addCommands(yargs: Argv, run: Run): Argv {
  return yargs
    .command(
      'ls',
      'list keys whose value waits to be persisted, the most overdue first',
      (z) =>
        z.options({
          status: { choices: ['waiting', 'overdue', 'running', 'dead'] as const, describe: 'only these' },
          limit: { ...countOption('rows at most'), default: 50 },
        }),
      run(cache('list')),
    )
    .command(
      'show <key>',
      'show one key: its value in the cache, and what waits',
      (z) => z.positional('key', { string: true, demandOption: true, describe: 'the key' }),
      run(cache('show')),
    )
    .command(
      'flush [keys..]',
      'have workers persist keys now',
      (z) =>
        z.positional('keys', { string: true, array: true }).options({
          ...bulkOptions,
          all: { boolean: true, describe: 'every key whose value waits' },
          queue: { ...queueOption, describe: 'queue of the workers that persist [of the configuration]' },
          timeout: {
            ...durationOption('wait at most this long for each key [10s]'),
            default: '10s' as unknown as number,
          },
        }),
      run(cache('flush')),
    )
    .demandCommand(1, 'cache: a command is required: ls, show or flush')
    .example('$0 cache ls --status dead', 'values that failed for good')
}
