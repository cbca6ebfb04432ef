import type { Argv } from 'yargs'
import { bulkOptions, limitOption } from './flags.ts'
import type { Handler, Run } from './run.ts'

const flow = (name: 'list' | 'show' | 'cancel' | 'replay') => async () =>
  (await import('../commands/flow.ts'))[name] as Handler
const flowArgument = { string: true, demandOption: true, describe: "the flow's id" } as const

/** `flow` */
export function addFlow(yargs: Argv, run: Run): Argv {
  return yargs.command('flow', 'graphs of jobs: ls, show, cancel, replay', (y) =>
    y
      .command('ls', 'list flows, newest first', (z) => z.options({ limit: limitOption(50) }), run(flow('list')))
      .command(
        'show <id>',
        'draw a flow and the state of each member',
        (z) =>
          z
            .positional('id', flowArgument)
            .options({ watch: { boolean: true, alias: 'w', describe: 'redraw it until it ends' } })
            .example('$0 flow show 9f3a --watch', 'exits when the flow ends, with code 1 if it failed'),
        run(flow('show')),
      )
      .command(
        'cancel <id>',
        'cancel a flow and abort its running jobs',
        (z) => z.positional('id', flowArgument).options(bulkOptions),
        run(flow('cancel')),
      )
      .command(
        'replay <id>',
        'run an ended flow again',
        (z) =>
          z.positional('id', flowArgument).options({
            ...bulkOptions,
            failed: { boolean: true, describe: 'only what did not succeed, and what comes after it' },
          }),
        run(flow('replay')),
      )
      .demandCommand(1, 'flow: a command is required: ls, show, cancel or replay'),
  )
}
