/** Serves the built pages with made-up answers on port 8090: `npx tsx packages/dashboard-ui/dev/server.ts`. */
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import * as data from './data.ts'

const assets = join(import.meta.dirname, '../../dashboard/assets')
const types: Record<string, string> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.html': 'text/html',
}
const csp =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

createServer((request, response) => {
  const url = new URL(request.url!, 'http://localhost')
  if (url.pathname === '/api/stream') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`event: overview\ndata: ${JSON.stringify(data.overview())}\n\n`)
    return
  }
  if (url.pathname.startsWith('/api/')) {
    const make = (data as unknown as Record<string, ((query: URLSearchParams) => unknown) | undefined>)[
      url.pathname.slice(5)
    ]
    response.writeHead(make ? 200 : 404, { 'content-type': 'application/json' })
    response.end(
      JSON.stringify(
        make
          ? make(url.searchParams)
          : { error: { code: 'not_found', message: `Nothing is made up for ${url.pathname}.` } },
      ),
    )
    return
  }
  const file = join(assets, url.pathname)
  const found = extname(file) && existsSync(file) ? file : join(assets, 'index.html')
  response.writeHead(200, { 'content-type': types[extname(found)]!, 'content-security-policy': csp })
  response.end(readFileSync(found))
}).listen(8090, '127.0.0.1')
