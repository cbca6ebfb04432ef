import { createServer } from 'node:http'
import type { Server } from 'node:http'

/** What is served. Both probes answer 200 or 503 with one line of why. */
export interface MetricsSource {
  /** The text of a scrape. */
  metrics: () => Promise<{ text: string; contentType: string }>
  /** Null when all is well. */
  whyNotAlive: () => string | null
  whyNotReady: () => string | null
}

/** Serves `/metrics`, `/healthz` (liveness) and `/readyz` (readiness). Rejects when the port is taken. */
export async function serveMetrics(source: MetricsSource, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, text: string, contentType = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' })
      response.end(text)
    }
    const probe = (why: string | null) => answer(why === null ? 200 : 503, `${why ?? 'ok'}\n`)
    const path = (request.url ?? '/').split('?')[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(405, 'only GET\n')
    else if (path === '/healthz') probe(source.whyNotAlive())
    else if (path === '/readyz') probe(source.whyNotReady())
    else if (path === '/metrics') {
      source.metrics().then(
        ({ text, contentType }) => answer(200, text, contentType),
        () => answer(500, 'the metrics could not be read\n'),
      )
    } else answer(404, 'try /metrics, /healthz or /readyz\n')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, () => resolve())
  })
  return server
}
