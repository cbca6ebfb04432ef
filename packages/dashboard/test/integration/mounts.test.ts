import { createServer } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import { toExpressHandler, toFastifyPlugin, toHonoHandler, toNextHandlers, toNodeHandler } from '../../src/index.ts'
import type { Bootstrap, Dashboard, JobPage } from '../../src/index.ts'
import { useHarness } from '../support/harness.ts'

const bench = useHarness()
const BASE = '/admin/queues'
type Init = { method?: string; body?: string; headers?: Record<string, string> }
type Fetch = (path: string, init?: Init) => Promise<Response>

/** Serves until the test ends, and asks over a socket. */
async function listening(server: Server): Promise<Fetch> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  bench.onEnd(() => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  return (path, init = {}) => {
    const origin = `http://127.0.0.1:${port}`
    return fetch(origin + path, { ...init, headers: { origin, connection: 'close', ...init.headers } })
  }
}

/** Every way to mount a dashboard, below a base path. */
const mounts: Record<string, (dashboard: Dashboard) => Promise<Fetch>> = {
  'Node http': (dashboard) => listening(createServer(toNodeHandler(dashboard))),
  Express: (dashboard) => {
    const app = express().use(BASE, toExpressHandler(dashboard))
    return listening(createServer(app))
  },
  'Express behind a body parser': (dashboard) => {
    const app = express().use(express.json()).use(BASE, toExpressHandler(dashboard))
    return listening(createServer(app))
  },
  Fastify: async (dashboard) => {
    const app = fastify({ forceCloseConnections: true })
    await app.register(toFastifyPlugin(dashboard), { prefix: BASE })
    bench.onEnd(() => app.close())
    const address = await app.listen({ port: 0, host: '127.0.0.1' })
    return (path, init = {}) => fetch(address + path, { ...init, headers: { origin: address, ...init.headers } })
  },
  Hono: (dashboard) => {
    const app = new Hono().all(BASE, toHonoHandler(dashboard, BASE)).all(`${BASE}/*`, toHonoHandler(dashboard, BASE))
    const origin = 'http://localhost'
    return Promise.resolve(async (path, init = {}) =>
      app.request(origin + path, { ...init, headers: { origin, ...init.headers } }),
    )
  },
  'Next.js': (dashboard) => {
    const handlers = toNextHandlers(dashboard, BASE)
    const origin = 'http://localhost'
    return Promise.resolve((path, init = {}) =>
      handlers[(init.method ?? 'GET') as 'GET'](
        new Request(origin + path, { ...init, headers: { origin, ...init.headers } }),
      ),
    )
  },
}

describe.each(Object.keys(mounts))('mounted in %s', (name) => {
  const mounted = () => mounts[name]!(bench.dashboard({ basePath: name === 'Node http' ? BASE : '' }))

  test('the pages and the API answer under the base path', async () => {
    const ask = await mounted()
    const page = await ask(`${BASE}/jobs`)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain(`<base href="${BASE}/">`)
    const { basePath } = (await (await ask(`${BASE}/api/bootstrap`)).json()) as Bootstrap
    expect(basePath).toBe(BASE)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  })

  test('ids with encoded slashes, queries and unknown paths come through as they are', async () => {
    await bench.client().enqueue('f', ['ünï'], { jobId: 'a/b c' })
    const ask = await mounted()
    const job = await ask(`${BASE}/api/jobs/${encodeURIComponent('a/b c')}`)
    expect(job.status).toBe(200)
    const page = (await (await ask(`${BASE}/api/jobs?q=${encodeURIComponent('ünï')}`)).json()) as JobPage
    expect(page.jobs).toHaveLength(1)
    expect((await ask(`${BASE}/api/none`)).status).toBe(404)
  })

  test('a change of another site is refused', async () => {
    const ask = await mounted()
    const answer = await ask(`${BASE}/api/queues/mail/pause`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'http://evil.example' },
      body: '{}',
    })
    expect(answer.status).toBe(403)
    expect(await bench.client().queues.paused()).toEqual([])
  })
})
