import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Dashboard } from '../dashboard.ts'
import { checkDashboard } from './check-dashboard.ts'

/** Handles requests of Node's `http`: `createServer(toNodeHandler(dashboard))`. */
export function toNodeHandler(dashboard: Dashboard): (request: IncomingMessage, response: ServerResponse) => void {
  checkDashboard('toNodeHandler', dashboard)
  return (request, response) => void handle(dashboard, request, response)
}

/** A request of Express; `baseUrl` is where the handler is mounted. */
type ExpressRequest = IncomingMessage & { originalUrl?: string; baseUrl?: string }

/** Handles requests of Express (and Connect): `app.use('/admin/queues', toExpressHandler(dashboard))`. */
export function toExpressHandler(dashboard: Dashboard): (request: ExpressRequest, response: ServerResponse) => void {
  checkDashboard('toExpressHandler', dashboard)
  return (request, response) =>
    void handle(dashboard, request, response, {
      url: request.originalUrl ?? request.url ?? '/',
      ...(request.baseUrl === undefined ? {} : { basePath: request.baseUrl }),
    })
}

/** @internal Answers one request of Node; never rejects. */
export async function handle(
  dashboard: Dashboard,
  request: IncomingMessage & { body?: unknown },
  response: ServerResponse,
  mounted: { url?: string; basePath?: string } = {},
): Promise<void> {
  try {
    const answer = await answerTo(dashboard, request, mounted)
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    await send(answer, response)
  } catch (error) {
    if (response.headersSent) response.destroy(error as Error)
    else response.writeHead(500, { 'content-type': 'text/plain' }).end('the dashboard failed to answer\n')
  }
}

async function answerTo(
  dashboard: Dashboard,
  request: IncomingMessage & { body?: unknown },
  mounted: { url?: string; basePath?: string },
): Promise<Response> {
  const path = mounted.url ?? request.url ?? '/'
  const host = request.headers.host ?? ''
  if (!path.startsWith('/') || !/^[\w.:[\]-]+$/.test(host)) return new Response('bad request\n', { status: 400 })
  const method = request.method ?? 'GET'
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    for (const each of Array.isArray(value) ? value : value === undefined ? [] : [value]) headers.append(name, each)
  }
  const hasBody = method !== 'GET' && method !== 'HEAD'
  // The scheme plays no part: origins are compared by host, since TLS may end in front of us.
  const built = new Request(`http://${host}${path}`, {
    method,
    headers,
    ...(hasBody ? { body: bodyOf(request), duplex: 'half' as const } : {}),
  })
  return dashboard.fetch(built, mounted.basePath === undefined ? undefined : { basePath: mounted.basePath })
}

/** The body; what a parser of the application has read already is written again. */
function bodyOf(request: IncomingMessage & { body?: unknown }): string | ReadableStream {
  if (request.readableEnded && request.body !== undefined) {
    return typeof request.body === 'string' ? request.body : JSON.stringify(request.body)
  }
  return Readable.toWeb(request) as unknown as ReadableStream
}

async function send(answer: Response, response: ServerResponse): Promise<void> {
  if (!answer.body) {
    response.end()
    return
  }
  const reader = answer.body.getReader() as ReadableStreamDefaultReader<Uint8Array>
  // A reader that has gone ends the stream behind it.
  response.once('close', () => void reader.cancel().catch(() => {}))
  for (;;) {
    const { done, value } = await reader.read()
    if (done || response.destroyed) break
    if (!response.write(value)) await Promise.race([once(response, 'drain'), once(response, 'close')])
  }
  response.end()
}
