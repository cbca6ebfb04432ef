import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, createLogger } from '@arq-ts/core'
import { AliasManager } from '@arq-ts/qdrant'
import { startQdrant, whyNoQdrant } from '@arq-ts/qdrant/testing'
import type { TestQdrant } from '@arq-ts/qdrant/testing'
import { Child, eventually, freePort, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CanaryDeployments, CanaryRouter } from '../../src/index.ts'

const main = fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url))
/** The packages as an application has them that has installed them. */
const installed = fileURLToPath(new URL('../../../../examples/node_modules', import.meta.url))
const why = await whyNoQdrant()

describe.skipIf(why !== undefined)(`a canary by command, on a Qdrant${why ? ` (left out: ${why})` : ''}`, () => {
  let qdrant: TestQdrant
  let database: Database
  let folder: string
  let worker: Child
  let metricsUrl: string
  let aliases: AliasManager
  let client: Client
  /** Waits for what the command has asked for; a process for each look would be dear. */
  let deployments: CanaryDeployments
  let names: { alias: string; v1: string; v2: string; v3: string }

  beforeAll(async () => {
    ;[qdrant, database] = await Promise.all([startQdrant(), takeDatabase()])
    aliases = new AliasManager({ qdrant: qdrant.client })
    const [alias, v1, v2, v3] = ['products', 'v1', 'v2', 'v3'].map((name) => qdrant.name(name)) as [
      string,
      string,
      string,
      string,
    ]
    names = { alias, v1, v2, v3 }
    for (const collection of [v1, v2, v3]) {
      await qdrant.client.createCollection(collection, { vectors: { size: 2, distance: 'Cosine' } })
      await qdrant.client.upsert(collection, { wait: true, points: [{ id: 1, vector: [1, 1] }] })
    }
    await aliases.createAlias(alias, v1)
    client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
    deployments = new CanaryDeployments({ client, redis: database.url, aliases })
    folder = mkdtempSync(join(tmpdir(), 'arq-ts-canary-'))
    symlinkSync(installed, join(folder, 'node_modules'))
    const tasks = [`- use: '@arq-ts/canary'\n      with: { url: '${qdrant.url}', lockMs: 500 }`]
    writeFileSync(
      join(folder, 'arq-ts.yaml'),
      `task_queue:\n  worker_pool_size: 1\n  tasks:\n    ${tasks.join('\n    ')}\n`,
    )
    const port = await freePort()
    metricsUrl = `http://localhost:${port}/metrics`
    worker = new Child(process.execPath, words('worker', '--metrics-port', String(port)), { cwd: folder })
    await worker.line(/metrics on/)
  }, 120_000)
  afterAll(async () => {
    await worker.stop()
    await deployments.close()
    await client.close()
    await qdrant.reset()
    await qdrant.stop()
    await database.release()
    rmSync(folder, { recursive: true, force: true })
  })

  const words = (...args: string[]) => [main, ...args, '--redis', database.url]
  const run = (...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(process.execPath, words(...args), { cwd: folder }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      )
    })
  async function json<T>(verb: string, ...args: string[]): Promise<T> {
    const { stderr, stdout } = await run('canary', verb, ...args, '--json')
    if (stdout === '' || stdout.startsWith('{"ok":false')) throw new Error(`canary ${verb}: ${stdout}${stderr}`)
    return JSON.parse(stdout) as T
  }
  const options = (given: object) => ['--options', JSON.stringify({ inconclusive: 'proceed', ...given })]
  const shows = (id: string, expected: object) =>
    eventually(async () => expect(await deployments.status(id)).toMatchObject(expected), { timeoutMs: 30_000 })
  const scrape = async () => (await fetch(metricsUrl)).text()

  test('starts, waits for approval, and is promoted: the alias moves, and the metrics of the worker say so', async () => {
    const stages = [
      { percentage: 50, durationMinutes: 0.2 / 60, approval: true },
      { percentage: 100, durationMinutes: 0 },
    ]
    const { id } = await json<{ id: string }>('start', names.alias, names.v2, ...options({ stages }))
    const watch = new Child(process.execPath, words('canary', 'show', id, '--watch', '--interval', '50ms'), {
      cwd: folder,
    })
    await shows(id, { status: 'running', reason: 'stage of 50 % waits for approval' })
    const router = new CanaryRouter({ redis: database.url, timeoutMs: 5_000 })
    const decision = await router.route(names.alias, { requestId: 'r' })
    expect([names.v1, names.v2]).toContain(decision.collection)
    await router.record({ deploymentId: id, collection: names.v2, latencyMs: 5, isError: false })
    await router.close()
    await eventually(async () =>
      expect(await scrape()).toMatch(
        new RegExp(`arq_canary_share_configured_ratio\\{.*alias="${names.alias}".*\\} 0.5`),
      ),
    )
    expect(await scrape()).toMatch(/^arq_canary_waiting\{.*\} 1$/m)
    expect(await scrape()).toMatch(/^arq_canary_stage_requests\{.*collection="new".*\} 1$/m)
    expect(await json('approve', id)).toMatchObject({ id })
    expect(await watch.exited).toBe(0)
    expect(await json('show', id)).toMatchObject({ id, status: 'completed' })
    expect(await aliases.getCollectionForAlias(names.alias)).toBe(names.v2)
    expect(await scrape()).toMatch(/^arq_canary_decisions_total\{.*event="completed".*\} 1$/m)
  }, 90_000)

  test('is paused, resumed and promoted, and another is rolled back, each in JSON', async () => {
    const stages = [{ percentage: 10, durationMinutes: 60 }]
    const start = async (collection: string) =>
      (await json<{ id: string }>('start', names.alias, collection, ...options({ stages }))).id
    const id = await start(names.v3)
    await shows(id, { status: 'running' })
    expect(await json('pause', id)).toMatchObject({ id, status: 'paused' })
    expect(await json('resume', id)).toMatchObject({ id })
    expect(await json('promote', id)).toMatchObject({ id })
    await shows(id, { status: 'completed' })
    expect(await aliases.getCollectionForAlias(names.alias)).toBe(names.v3)
    const other = await start(names.v1)
    await shows(other, { status: 'running' })
    expect(await json('rollback', other, '--reason', 'looks odd')).toMatchObject({ id: other })
    await shows(other, { status: 'rolled_back', reason: 'looks odd' })
    expect(await aliases.getCollectionForAlias(names.alias)).toBe(names.v3)
    const listed = await json<{ deployments: { id: string }[] }>('ls')
    expect(listed.deployments.map((each) => each.id)).toEqual(expect.arrayContaining([id, other]))
  }, 90_000)
})
