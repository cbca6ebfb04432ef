import { Client, createLogger, Worker } from '@arq-ts/core'
import type { WorkerOptions } from '@arq-ts/core'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach } from 'vitest'
import { createDashboard } from '../../src/index.ts'
import type { Dashboard, DashboardOptions } from '../../src/index.ts'

export const logger = createLogger({ level: 'silent' })
const ORIGIN = 'http://localhost'

/** A database, a client, and dashboards and workers on it that end with the test. */
export function useHarness() {
  let database: Database
  let client: Client
  const closing: (() => unknown)[] = []
  /** Answers of a fault, for the report of a test that fails. */
  const faults: string[] = []
  beforeEach(async () => {
    database = await takeDatabase()
    client = new Client({ redis: database.url, logger, codec: 'pickle' })
  })
  afterEach(async ({ task }) => {
    for (const fault of faults.splice(0)) if (task.result?.state === 'fail') console.error(fault)
    for (const close of closing.splice(0).reverse()) await close()
    await client.close()
    await database.release()
  })
  return {
    database: () => database,
    client: () => client,
    onEnd: (close: () => unknown) => void closing.push(close),
    dashboard(options: DashboardOptions = {}): Dashboard {
      const dashboard = createDashboard({ client, ...options })
      const answer = dashboard.fetch
      dashboard.fetch = async (request, context) => {
        const response = await answer(request, context)
        if (response.status >= 500)
          faults.push(`${request.method} ${request.url}: ${response.status}: ${await response.clone().text()}`)
        return response
      }
      closing.push(() => dashboard.close())
      return dashboard
    },
    worker(options: WorkerOptions): Worker {
      const worker = new Worker({ redis: database.url, logger, handleSignals: false, pollDelayMs: 50, ...options })
      void worker.run()
      closing.push(() => worker.stop())
      return worker
    },
  }
}

/** Sends a GET as a page of the dashboard does. */
export function get(dashboard: Dashboard, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return dashboard.fetch(new Request(ORIGIN + path, { headers: { 'sec-fetch-site': 'same-origin', ...headers } }))
}

/** Sends a change as a page of the dashboard does. */
export function post(
  dashboard: Dashboard,
  path: string,
  body: unknown = {},
  headers: Record<string, string> = {},
): Promise<Response> {
  return dashboard.fetch(
    new Request(ORIGIN + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', origin: ORIGIN, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  )
}

/** The JSON of an answer that is expected to be good. */
export async function jsonOf<T>(answer: Promise<Response>): Promise<T> {
  const response = await answer
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${response.status}: ${text}`)
  return JSON.parse(text) as T
}

/** The status and the code of a refused request. */
export async function refusalOf(answer: Promise<Response>): Promise<[status: number, code: string]> {
  const response = await answer
  const { error } = (await response.json()) as { error: { code: string } }
  return [response.status, error.code]
}
