import { fileURLToPath } from 'node:url'
import { ArgumentsError, Client, createLogger, EncodeError, JobFailedError, OptionsError } from '@arq-ts/core'
import { RedisReplyError, RedisUnavailableError, ResultNotFoundError } from '@arq-ts/core'
import type { Logger } from '@arq-ts/core'
import { routesOf } from './routes.ts'
import type { Handler } from './routes.ts'
import { Assets } from './http/assets.ts'
import { readBody } from './http/body.ts'
import { nameIn } from './http/names.ts'
import { checkChange, checkHost, checkRead } from './http/guard.ts'
import { json, refused, secured } from './http/respond.ts'
import { Refusal } from './http/refusal.ts'
import { Router } from './http/router.ts'
import { basePathOf, settingsOf } from './options.ts'
import type { DashboardOptions, Settings } from './options.ts'
import { mustSee } from './read/must-see.ts'
import { Access } from './users/access.ts'
import { Board } from './board.ts'

const ASSETS = fileURLToPath(new URL('../assets', import.meta.url))

/** A dashboard: the pages and the API behind them. Mount `fetch`, or one of the adapters made of it. */
export interface Dashboard {
  /** Answers one request. `basePath`: where an application has mounted it, if that differs from the option. */
  fetch(request: Request, context?: { basePath?: string }): Promise<Response>
  /** Ends its streams and its own connection. Requests are refused from then on. */
  close(): Promise<void>
  /** True where it knows the users of its requests: only then may it listen beyond this machine. */
  readonly isProtected: boolean
}

/**
 * Creates a dashboard. It connects at once; `fetch` serves requests.
 *
 * @throws OptionsError
 */
export function createDashboard(options: DashboardOptions = {}): Dashboard {
  const settings = settingsOf(options)
  const logger = settings.logger ?? createLogger({ level: 'silent' })
  const client = settings.client ?? new Client({ ...settings.connection, logger })
  const board = new Board(client, settings, logger)
  const router = new Router<Handler>(routesOf(board))
  const assets = Assets.load(settings.assets ?? ASSETS)
  assets.catch(() => {}) // reported by the request that needs them
  const app = new App({ settings, board, router, assets, logger })
  return {
    isProtected: settings.authenticate !== undefined,
    fetch: (request, context) => app.answer(request, context?.basePath),
    close: async () => {
      await board.close()
      if (!settings.client) await client.close()
    },
  }
}

interface Parts {
  settings: Settings
  board: Board
  router: Router<Handler>
  assets: Promise<Assets>
  logger: Logger
}

class App {
  readonly #parts: Parts
  readonly #access: Access

  constructor(parts: Parts) {
    this.#parts = parts
    this.#access = new Access(parts.settings)
  }

  async answer(request: Request, mounted: string | undefined): Promise<Response> {
    try {
      const response = await this.#answer(request, mounted === undefined ? undefined : basePathOf(mounted))
      return secured(request.method === 'HEAD' ? new Response(null, response) : response)
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal.code === 'internal')
        this.#parts.logger.error({ err: error }, 'the dashboard could not answer a request')
      return secured(refused(refusal))
    }
  }

  async #answer(request: Request, mounted: string | undefined): Promise<Response> {
    const { settings, router, assets, board } = this.#parts
    checkHost(request, settings.hosts)
    const basePath = mounted ?? settings.basePath
    const path = pathBelow(new URL(request.url).pathname, basePath)
    if (path === null) throw new Refusal('not_found', `the dashboard is mounted at "${basePath}/"`)
    const method = request.method === 'HEAD' ? 'GET' : request.method
    if (method !== 'GET' && method !== 'POST') {
      throw new Refusal('method_not_allowed', 'the dashboard takes GET and POST', { allow: 'GET, HEAD, POST' })
    }
    const isApi = path === '/api' || path.startsWith('/api/')
    // Before the user is asked for: another site's request must not become one of a user who is signed in.
    if (method === 'POST') checkChange(request, settings.hosts)
    else if (isApi) checkRead(request)
    const user = await this.#access.userOf(request)
    if (!isApi) {
      const answer = method === 'GET' ? await (await assets).answer(request, path, basePath) : null
      return answer ?? json({ error: { code: 'not_found', message: 'there is no such file' } }, 404)
    }
    const { route, params } = router.match(method, path)
    await this.#access.mayUse(user, route.handler, params)
    const body = method === 'POST' ? await readBody(request) : {}
    const { searchParams: query } = new URL(request.url)
    const access = this.#access
    const sight = await board.sightOf(user, access, { isChange: method === 'POST' })
    await mustSee(board, sight, route.handler.resource(params), [nameIn(query, 'queue'), body.queueName])
    const context = { request, user, params, body, query, basePath, access, sight }
    const answer = await route.handler.run(context)
    return answer instanceof Response ? answer : json(answer)
  }
}

/** The part of a path below the base, which begins with a slash; null for a path elsewhere. */
function pathBelow(path: string, basePath: string): string | null {
  if (!path.startsWith(basePath)) return null
  const rest = path.slice(basePath.length)
  return rest === '' ? '/' : rest.startsWith('/') ? rest : null
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof RedisUnavailableError) {
    return new Refusal('redis_unavailable', `Redis does not answer: ${error.message}`, { 'retry-after': '5' })
  }
  if ([OptionsError, ArgumentsError, EncodeError].some((kind) => error instanceof kind)) {
    return new Refusal('invalid_request', (error as Error).message)
  }
  if (error instanceof ResultNotFoundError) return new Refusal('not_found', error.message)
  if (error instanceof JobFailedError) return new Refusal('conflict', error.message)
  if (error instanceof RedisReplyError) return new Refusal('conflict', `Redis refuses: ${error.message}`)
  return new Refusal('internal', 'the dashboard failed to answer; its log has the reason')
}
