import { createLogger } from '@arq-ts/core'
import { clientOptionsOf, queueNamesOf } from '@arq-ts/core/config'
import type { Authenticator, basic, bearer } from '@arq-ts/dashboard'
import type { GlobalArgs } from '../args.ts'
import { CommandError, EXIT } from '../exit.ts'
import { processIo } from '../io.ts'
import { Output } from '../output.ts'
import { openTaskSources } from '../task-sources.ts'
import { addressOf, settingsOf } from '../settings.ts'

interface DashboardArgs extends GlobalArgs {
  port: number
  host?: string | undefined
  basePath?: string | undefined
  readOnly?: boolean | undefined
  allowedHost?: string[] | undefined
}

/** `dashboard`: the pages and their API, until a signal. */
export async function dashboard(args: DashboardArgs): Promise<number> {
  const { createDashboard, serveDashboard, ...makers } = await import('@arq-ts/dashboard')
  const loaded = settingsOf(args)
  const out = new Output(args.json === true, args.io)
  const env = (args.io ?? processIo).env
  const authenticate = authenticatorOf(env, makers)
  const tasks = await openTaskSources(loaded)
  const board = createDashboard({
    tasks: tasks.sources,
    connection: { ...clientOptionsOf(loaded.config), logger: createLogger({ level: 'silent' }) },
    address: addressOf(loaded),
    queues: queueNamesOf(loaded.config),
    readOnly: args.readOnly === true,
    logger: createLogger({ level: 'warn' }),
    ...(args.basePath === undefined ? {} : { basePath: args.basePath }),
    ...(args.allowedHost === undefined ? {} : { allowedHosts: args.allowedHost }),
    ...(authenticate ? { authenticate } : {}),
  })
  // Before the address is printed: whoever reads it may end the command at once.
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  try {
    const where = { port: args.port, ...(args.host === undefined ? {} : { host: args.host }) }
    const server = await serveDashboard(board, where).catch((error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith('ARQ_')) throw error
      const why = error.code === 'EADDRINUSE' ? 'it is in use; choose another --port' : error.message
      throw new CommandError(`cannot serve the dashboard on port ${args.port}: ${why}`, EXIT.cannot)
    })
    const url = server.url.replace(/\/$/, '') + (args.basePath ?? '').replace(/\/+$/, '') + '/'
    out.data({ url, redis: addressOf(loaded) }, () => out.line(url))
    out.note(`the dashboard of ${addressOf(loaded)}; Ctrl-C ends`)
    await ended
    await board.close()
    await server.close()
  } finally {
    await board.close()
    await tasks.close()
  }
  return EXIT.ok
}

interface Makers {
  basic: typeof basic
  bearer: typeof bearer
}

/** Users by the environment: secrets on a command line are seen by every process of the machine. */
function authenticatorOf(env: NodeJS.ProcessEnv, makers: Makers): Authenticator | null {
  const { ARQ_TS_DASHBOARD_TOKEN: token, ARQ_TS_DASHBOARD_USERS: users } = env
  const ways: Authenticator[] = []
  if (users) {
    const entries = users.split(',').map((each) => {
      const at = each.indexOf(':')
      if (at <= 0) throw new CommandError('ARQ_TS_DASHBOARD_USERS: expected name:password, separated by commas')
      return [each.slice(0, at).trim(), { password: each.slice(at + 1) }] as const
    })
    ways.push(makers.basic(Object.fromEntries(entries)))
  }
  if (token) ways.push(makers.bearer({ [token]: { name: 'token' } }))
  const [first, second] = ways
  if (!first || !second) return first ?? null
  const either: Authenticator = async (request) => (await first(request)) ?? second(request)
  return Object.assign(either, { challenge: first.challenge! })
}
