import { createServer } from 'node:http'
import type { Server } from 'node:http'

/** Everything that is served. Both probes answer 200 or 503 with one line of why. */
export interface MetricsSource {
  /** The text of a scrape. */
  metrics: () => Promise<{ text: string; contentType: string }>
  /** Null when all is well. */
  whyNotAlive: () => string | null
  whyNotReady: () => string | null
}

/** Default address of the metrics: whoever reaches this machine need not reach them. */
export const METRICS_HOST = '127.0.0.1'
/** Scrapes within this time share one collection: more scrapers cost the fleet nothing. */
const SHARED_MS = 1_000

/**
 * Serves `/metrics`, `/healthz` (liveness) and `/readyz` (readiness). `sharedMs`: scrapes within this time get the same
 * text. Rejects when the port is taken.
 */
export async function serveMetrics(
  source: MetricsSource,
  port: number,
  host: string = METRICS_HOST,
  sharedMs = SHARED_MS,
): Promise<Server> {
  const scrape = shared(source.metrics, sharedMs)
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
      scrape().then(
        ({ text, contentType }) => answer(200, text, contentType),
        () => answer(500, 'the metrics could not be read\n'),
      )
    } else answer(404, 'try /metrics, /healthz or /readyz\n')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve())
  })
  return server
}

/** One collection for all who ask while it runs, and for `forMs` after it. */
function shared<T>(collect: () => Promise<T>, forMs: number): () => Promise<T> {
  let current: { value: Promise<T>; until: number } | undefined
  return () => {
    if (current && performance.now() < current.until) return current.value
    const next = { value: collect(), until: Infinity }
    current = next
    const ended = () => (next.until = performance.now() + forMs)
    next.value.then(ended, () => (next.until = 0))
    return next.value
  }
}
