import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { checkOptions, OptionsError } from '@arq-ts/core'
import { z } from 'zod'
import { checkDashboard } from './adapters/check-dashboard.ts'
import type { Dashboard } from './dashboard.ts'
import { isLoopback } from './http/guard.ts'
import { toNodeHandler } from './adapters/node.ts'

/** A server that runs. */
export interface DashboardServer {
  /** Its address, for a person: `http://127.0.0.1:8080/`. */
  url: string
  port: number
  /** Ends it; streams are cut. The dashboard itself stays. */
  close(): Promise<void>
}

const optionsSchema = z.strictObject({
  host: z.string().min(1).optional(),
  port: z.number().int().min(0).max(65_535).optional(),
})

/**
 * Serves a dashboard by a server of its own. `host` defaults to 127.0.0.1, `port` to one that is free.
 *
 * @throws OptionsError for an address beyond this machine without authentication; rejects when the port is taken.
 */
export async function serveDashboard(
  dashboard: Dashboard,
  options: { host?: string; port?: number } = {},
): Promise<DashboardServer> {
  checkDashboard('serveDashboard', dashboard)
  checkOptions('serveDashboard', optionsSchema, options)
  const host = options.host ?? '127.0.0.1'
  if (!dashboard.isProtected && !isLoopback(host === '::1' ? '[::1]' : host.toLowerCase())) {
    throw new OptionsError(
      `serveDashboard: the address "${host}" is reached by others, and nobody has to sign in; give \`authenticate\`, or listen on 127.0.0.1`,
    )
  }
  const server = createServer({ maxHeaderSize: 32 * 1024 }, toNodeHandler(dashboard))
  server.headersTimeout = 15_000
  await listen(server, host, options.port ?? 0)
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : (options.port ?? 0)
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve())
  })
}
