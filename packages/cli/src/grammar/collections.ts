import type { Argv } from 'yargs'
import { bulkOptions, durationOption, queueOption } from './flags.ts'
import type { Handler, Run } from './run.ts'

const collections = (name: 'list' | 'keep' | 'deleteNow') => async () =>
  (await import('../commands/collections.ts'))[name] as Handler
const collectionArgument = { string: true, demandOption: true, describe: 'the collection' } as const
const queues = { ...queueOption, array: true, describe: 'look at these queues; default: of the configuration' } as const

/** `collections` */
export function addCollections(yargs: Argv, run: Run): Argv {
  const about = 'scheduled deletions of Qdrant collections: ls, keep, delete-now'
  return yargs.command('collections', about, (y) => addCommands(y, run))
}

function addCommands(yargs: Argv, run: Run): Argv {
  return yargs
    .command(
      'ls',
      'list scheduled deletions, the next one first',
      (z) => z.options({ queue: queues }),
      run(collections('list')),
    )
    .command(
      'keep <collection>',
      'cancel the deletion of a collection',
      (z) => z.positional('collection', collectionArgument).options({ queue: queues }),
      run(collections('keep')),
    )
    .command(
      'delete-now <collection>',
      'end the grace period of a scheduled deletion',
      (z) =>
        z.positional('collection', collectionArgument).options({
          queue: queues,
          ...bulkOptions,
          wait: { boolean: true, describe: 'wait for the end of the deletion' },
          timeout: { ...durationOption('wait at most this long [30s]'), default: '30s' as unknown as number },
        }),
      run(collections('deleteNow')),
    )
    .demandCommand(1, 'collections: a command is required: ls, keep or delete-now')
    .example('$0 collections keep products-v1', 'a change of mind, within the grace period')
}
