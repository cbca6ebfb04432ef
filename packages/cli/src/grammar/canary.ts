import type { Argv } from 'yargs'
import { countOption, durationOption } from './flags.ts'
import type { Handler, Run } from './run.ts'

type Name = 'list' | 'show' | 'start' | 'approve' | 'pause' | 'resume' | 'promote' | 'rollback'
const canary = (name: Name) => async () => (await import('../commands/canary.ts'))[name] as Handler
const deployment = { string: true, demandOption: true, describe: "a deployment's id, or the alias it is of" } as const

/** `canary` */
export function addCanary(yargs: Argv, run: Run): Argv {
  return yargs.command('canary', 'canary deployments: ls, show, start and decide', (y) => addCommands(y, run))
}

function addCommands(yargs: Argv, run: Run): Argv {
  return yargs
    .command(
      'ls',
      'list deployments: those under way, then those that ended, newest first',
      (z) =>
        z.options({
          active: { boolean: true, describe: 'only those under way' },
          limit: { ...countOption('deployments that ended, at most'), default: 20 },
        }),
      run(canary('list')),
    )
    .command(
      'show <deployment>',
      'show a deployment: share, figures, decisions; exit 0 unless it failed or was rolled back',
      (z) =>
        z.positional('deployment', deployment).options({
          watch: { boolean: true, describe: 'print each change until it ends' },
          interval: { ...durationOption('time between looks [2s]'), default: '2s' as unknown as number },
        }),
      run(canary('show')),
    )
    .command(
      'start <alias> <collection>',
      'put a new collection in front of an alias, stage by stage',
      (z) =>
        z
          .positional('alias', { string: true, demandOption: true, describe: 'the alias that services search' })
          .positional('collection', { string: true, demandOption: true, describe: 'the new collection' })
          .options({
            stages: {
              string: true,
              requiresArg: true,
              describe: 'percentage:duration, … [5:30m,25:60m,50:120m,100:0m]',
            },
            options: { string: true, requiresArg: true, describe: 'further options of startCanary, as a JSON object' },
            'dry-run': { boolean: true, describe: 'decide everything and move nothing' },
          })
          .example('$0 canary start products products-v2 --stages 5:30m,50:2h,100:0m', ''),
      run(canary('start')),
    )
    .command(
      'approve <deployment>',
      'let the current stage be left at its end',
      (z) =>
        z
          .positional('deployment', deployment)
          .options({ stage: countOption('approve this stage only, as `canary show` counts it') }),
      run(canary('approve')),
    )
    .command(
      'pause <deployment>',
      'stop judging; the share stays',
      (z) => z.positional('deployment', deployment),
      run(canary('pause')),
    )
    .command(
      'resume <deployment>',
      'begin the current stage anew',
      (z) => z.positional('deployment', deployment),
      run(canary('resume')),
    )
    .command(
      'promote <deployment>',
      'skip the remaining stages: move the alias now',
      (z) => z.positional('deployment', deployment),
      run(canary('promote')),
    )
    .command(
      'rollback <deployment>',
      'send all traffic back to the old collection now',
      (z) =>
        z
          .positional('deployment', deployment)
          .options({ reason: { string: true, requiresArg: true, describe: 'kept with the deployment' } }),
      run(canary('rollback')),
    )
    .demandCommand(1, 'canary: a command is required: ls, show, start, approve, pause, resume, promote or rollback')
    .example('$0 canary show products --watch', 'follow the deployment of an alias')
}
