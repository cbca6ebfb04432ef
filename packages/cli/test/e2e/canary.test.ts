import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Client, createLogger } from '@arq-ts/core'
import { eventually, freePort } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

/** The packages as an application has them that has installed them. */
const installed = fileURLToPath(new URL('../../../../examples/node_modules', import.meta.url))
const bench = useCommand()
let client: Client
let redis: Redis

beforeEach(() => {
  client = new Client({ redis: bench.database().url, queueName: 'default', logger: createLogger({ level: 'silent' }) })
  redis = new Redis(bench.database().url)
})
afterEach(async () => {
  redis.disconnect()
  await client.close()
})

async function configure(): Promise<void> {
  symlinkSync(installed, join(bench.folder(), 'node_modules'))
  const qdrant = `http://127.0.0.1:${await freePort()}`
  writeFileSync(
    join(bench.folder(), 'arq-ts.yaml'),
    `task_queue:\n  tasks:\n    - use: '@arq-ts/canary'\n      with: { url: '${qdrant}', keyPrefix: 'aidocs:' }\n`,
  )
}

/** A deployment that waits for its worker, under the prefix of the configuration. */
async function deploy(): Promise<string> {
  const file = pathToFileURL(join(installed, '@arq-ts/canary/dist/index.js')).href
  const { CanaryDeployments } = (await import(/* @vite-ignore */ file)) as {
    CanaryDeployments: new (options: object) => {
      startCanary(alias: string, collection: string, options: object): Promise<string>
      close(): Promise<void>
    }
  }
  const aliases = {
    getCollectionForAlias: async () => 'v1',
    collectionExists: async () => true,
    switchAlias: async () => {},
  }
  const deployments = new CanaryDeployments({ client, redis: bench.database().url, keyPrefix: 'aidocs:', aliases })
  const id = await deployments.startCanary('products', 'v2', { stages: [{ percentage: 5, durationMinutes: 30 }] })
  await deployments.close()
  return id
}

describe('arq-ts canary', () => {
  test('lists deployments and shows one, by its id or its alias, in the database and under the prefix of the services', async () => {
    await configure()
    const id = await deploy()
    expect(await redis.exists(`aidocs:canary:deployment:${id}`)).toBe(1)
    expect(await bench.json(['canary', 'ls'])).toMatchObject({
      deployments: [{ id, alias: 'products', status: 'queued' }],
      complete: true,
    })
    const table = await bench.run(['canary', 'ls'])
    expect(table.stdout).toMatch(new RegExp(`${id}\\s+products\\s+v2\\s+queued\\s+1 of 1\\s+0 %`))
    for (const name of [id, 'products']) {
      expect(await bench.json(['canary', 'show', name])).toMatchObject({ id, share: { configured: 0, observed: null } })
    }
    const shown = await bench.run(['canary', 'show', 'products'])
    expect(shown.stdout).toContain('products: v1 → v2')
    const unknown = await bench.run(['canary', 'show', 'nothing'])
    expect(unknown.code).toBe(1)
    expect(unknown.stderr).toContain("there is no deployment 'nothing'")
  })

  test('pauses, resumes and rolls back, and says when a deployment is not in a state for it', async () => {
    await configure()
    const id = await deploy()
    expect(await bench.json(['canary', 'pause', 'products'])).toEqual({ id, status: 'paused', reason: null })
    const refused = await bench.run(['canary', 'pause', id])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(`deployment ${id} is paused`)
    expect((await bench.run(['canary', 'resume', id])).stdout).toContain(`${id} resumed`)
    expect(await bench.json(['canary', 'approve', id])).toMatchObject({ id })
    expect((await bench.run(['canary', 'rollback', id, '--reason', 'looks odd'])).stdout).toContain(
      'no traffic goes to the new collection',
    )
    expect(await bench.json(['canary', 'show', id])).toMatchObject({ ending: 'rollback', reason: 'looks odd' })
    expect((await bench.run(['canary', 'promote', id])).code).toBe(1)
    const texts = (await client.history.audit()).map(({ detail }) => (detail as { text: string }).text)
    const acts = ['promote', 'rollback', 'approve', 'resume', 'pause', 'pause']
    expect(texts).toEqual(acts.map((act) => `${act} the deployment "${id}"`))
  })

  test('follows a deployment until it ends, and exits by how it ended', async () => {
    await configure()
    const id = await deploy()
    const watching = bench.start(['canary', 'show', id, '--watch', '--interval', '50ms'])
    await eventually(() => watching.lines.some((line) => line.includes('share 0 %')), { timeoutMs: 20_000 })
    await bench.run(['canary', 'rollback', id, '--reason', 'looks odd'])
    await eventually(() => watching.lines.some((line) => line.includes('roll back: looks odd')), { timeoutMs: 20_000 })
    const key = `aidocs:canary:deployment:${id}`
    const state = JSON.parse((await redis.hget(key, 'state'))!) as object
    await redis.hset(
      key,
      'state',
      JSON.stringify({ ...state, status: 'rolled_back', finishedAtMs: Date.now(), ending: null }),
    )
    expect(await watching.exited).toBe(1)
  })

  test.each<[string[], string]>([
    [['canary'], 'a command is required: ls, show, start'],
    [['canary', 'start', 'products', 'v2', '--stages', '5'], "expected percentage:duration such as 5:30m, got '5'"],
    [
      ['canary', 'start', 'products', 'v2', '--stages', '5:soon'],
      "expected a duration such as 30s, 5m or 2h, got 'soon'",
    ],
    [['canary', 'start', 'products', 'v2', '--options', '[]'], '--options: expected a JSON object'],
    [['canary', 'start', 'products', 'v2', '--options', '{"minSample":5}'], 'did you mean `minSamples`?'],
  ])('refuses %j', async (args, message) => {
    await configure()
    const { code, stderr } = await bench.run(args)
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })
})
