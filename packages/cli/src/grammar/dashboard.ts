import type { Argv } from 'yargs'
import { portOption } from './flags.ts'
import type { Handler, Run } from './run.ts'

const dashboard = async () => (await import('../commands/dashboard.ts')).dashboard as Handler

/** `dashboard` */
export function addDashboard(yargs: Argv, run: Run): Argv {
  return yargs.command(
    'dashboard',
    'serve the web dashboard until a signal',
    (y) =>
      y
        .options({
          port: { ...portOption('port to listen on'), default: 9465 },
          host: { string: true, requiresArg: true, describe: 'address to listen on [127.0.0.1]' },
          'base-path': { string: true, requiresArg: true, describe: 'path to serve under, behind a proxy' },
          'read-only': { boolean: true, describe: 'refuse every change' },
          'allowed-host': {
            string: true,
            array: true,
            requiresArg: true,
            describe: 'answer to this host name and to localhost only; repeatable',
          },
        })
        .example('$0 dashboard --port 8080', 'on this machine alone')
        .epilogue(
          'Users sign in where ARQ_TS_DASHBOARD_USERS (name:password, separated by commas) or\nARQ_TS_DASHBOARD_TOKEN (at least 16 characters) is set; an address beyond this machine needs one.',
        ),
    run(dashboard),
  )
}
