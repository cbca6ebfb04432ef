import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dashboard } from '../dashboard.ts'
import { checkDashboard } from './check-dashboard.ts'
import { handle } from './node.ts'

/** The parts of Fastify that the plugin uses; the package does not depend on it. */
interface FastifyInstance {
  prefix: string
  removeAllContentTypeParsers(): void
  addContentTypeParser(
    type: string,
    parser: (request: unknown, payload: unknown, done: (error: null) => void) => void,
  ): void
  all(path: string, handler: (request: { raw: IncomingMessage }, reply: FastifyReply) => unknown): unknown
}
interface FastifyReply {
  raw: ServerResponse
  hijack(): unknown
}

/** Makes a plugin of Fastify: `app.register(toFastifyPlugin(dashboard), { prefix: '/admin/queues' })`. */
export function toFastifyPlugin(dashboard: Dashboard): (fastify: unknown, options: unknown) => Promise<void> {
  checkDashboard('toFastifyPlugin', dashboard)
  return (plugin) => {
    const fastify = plugin as FastifyInstance
    // Bodies are read, and bounded, by the dashboard; the parsers of the application stay as they are outside.
    fastify.removeAllContentTypeParsers()
    fastify.addContentTypeParser('*', (_request, _payload, done) => done(null))
    const answer = (request: { raw: IncomingMessage }, reply: FastifyReply) => {
      reply.hijack()
      return handle(dashboard, request.raw, reply.raw, { basePath: fastify.prefix })
    }
    fastify.all('/', answer)
    fastify.all('/*', answer)
    return Promise.resolve()
  }
}

/** The part of Hono's context that the handler uses. */
interface HonoContext {
  req: { raw: Request; routePath?: string }
}

/**
 * Makes a handler of Hono: `app.all('/admin/queues/*', toHonoHandler(dashboard, '/admin/queues'))`. `basePath` may be left
 * out where the dashboard has it as an option.
 */
export function toHonoHandler(dashboard: Dashboard, basePath?: string): (context: HonoContext) => Promise<Response> {
  checkDashboard('toHonoHandler', dashboard, basePath)
  return ({ req }) => dashboard.fetch(req.raw, basePath === undefined ? undefined : { basePath })
}

/**
 * Makes the handlers of a Next.js route, in `app/admin/queues/[[...path]]/route.ts`:
 * `export const { GET, POST, HEAD } = toNextHandlers(dashboard, '/admin/queues')`, with `runtime = 'nodejs'`.
 */
export function toNextHandlers(
  dashboard: Dashboard,
  basePath?: string,
): Record<'GET' | 'HEAD' | 'POST', (request: Request) => Promise<Response>> {
  checkDashboard('toNextHandlers', dashboard, basePath)
  const answer = (request: Request) => dashboard.fetch(request, basePath === undefined ? undefined : { basePath })
  return { GET: answer, HEAD: answer, POST: answer }
}
