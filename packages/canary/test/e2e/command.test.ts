import { Client, createLogger } from '@arq-ts/core'
import { startQdrant, whyNoQdrant } from '@arq-ts/qdrant/testing'
import type { TestQdrant } from '@arq-ts/qdrant/testing'
import { eventually, freePort, takeDatabase } from '@arq-ts/test-support'
import type { Child, Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CanaryRouter } from '../../src/index.ts'
import type { CanaryDeployments } from '../../src/index.ts'
import { differences, documentedVerbs } from '../support/documented.ts'
import { Installed } from '../support/installed.ts'
import { openScene } from '../support/scene.ts'
import type { Scene } from '../support/scene.ts'

const why = await whyNoQdrant()

describe.skipIf(why !== undefined)(`a canary by command, on a Qdrant${why ? ` (left out: ${why})` : ''}`, () => {
  let qdrant: TestQdrant
  let database: Database
  let application: Installed
  let worker: Child
  let metricsUrl: string
  let scene: Scene
  let aliases: Scene['aliases']
  /** Waits for what the command has asked for; a process for each look would be dear. */
  let deployments: CanaryDeployments
  let names: Scene['names']

  beforeAll(async () => {
    ;[qdrant, database] = await Promise.all([startQdrant(), takeDatabase()])
    scene = await openScene(qdrant, database.url)
    ;({ aliases, deployments, names } = scene)
    const configuration = [
      'task_queue:',
      '  worker_pool_size: 1',
      '  tasks:',
      "    - use: '@arq-ts/canary'",
      `      with: { url: '${qdrant.url}', lockMs: 500 }`,
      "    - use: '@arq-ts/qdrant'",
      `      with: { url: '${qdrant.url}' }`,
      "    - use: '@arq-ts/write-behind'",
      '      with: { persisters: { app: ./persisters.mjs } }',
    ]
    application = new Installed(database.url, {
      'arq-ts.yaml': configuration.join('\n'),
      'persisters.mjs': 'export const save = () => {}',
    })
    const port = await freePort()
    metricsUrl = `http://localhost:${port}/metrics`
    worker = application.start('worker', '--metrics-port', String(port))
    await worker.line(/metrics on/)
  }, 120_000)
  afterAll(async () => {
    await worker.stop()
    await scene.close()
    await qdrant.reset()
    await qdrant.stop()
    await database.release()
    application.remove()
  })

  const json = <T>(verb: string, ...args: string[]) => application.json<T>('canary', verb, ...args)
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
    const watch = application.start('canary', 'show', id, '--watch', '--interval', '50ms')
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
    await eventually(async () =>
      expect(await scrape()).toMatch(/^arq_canary_decisions_total\{.*event="completed".*\} 1$/m),
    )
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

  test('each verb of canary, cache and collections prints the JSON that the reference documents', async () => {
    const seen = new Set<string>()
    const answer = async <T>(noun: string, verb: string, ...args: string[]): Promise<T> => {
      seen.add(`${noun} ${verb}`)
      const printed = await application.json<T>(noun, verb, ...args)
      expect(differences(`arq-ts ${noun} ${verb}`, printed)).toEqual([])
      return printed
    }
    const guards = [{ metric: 'ctr', min: 0 }]
    const stages = [{ percentage: 10, durationMinutes: 60, shadow: 5, approval: true }]
    const current = await aliases.getCollectionForAlias(names.alias)
    const [next, after] = [names.v1, names.v2, names.v3].filter((name) => name !== current) as [string, string]
    const { id } = await answer<{ id: string }>('canary', 'start', names.alias, next, ...options({ stages, guards }))
    await shows(id, { status: 'running' })
    const router = new CanaryRouter({ redis: database.url, timeoutMs: 5_000 })
    const request = { deploymentId: id, latencyMs: 5, isError: false, values: { ctr: 0.5 } }
    for (const collection of [next, current!]) await router.record({ ...request, collection })
    await router.close()
    await Promise.all([answer('canary', 'show', names.alias), answer('canary', 'ls')])
    for (const verb of ['approve', 'pause', 'resume', 'promote']) await answer('canary', verb, id)
    await shows(id, { status: 'completed' })
    const other = await answer<{ id: string }>('canary', 'start', names.alias, after, ...options({ stages }))
    await answer('canary', 'rollback', other.id, '--reason', 'looks odd')
    await shows(other.id, { status: 'rolled_back' })
    await Promise.all([answer('canary', 'show', other.id), answer('canary', 'ls')])

    const client = new Client({
      redis: database.url,
      queueName: 'default',
      logger: createLogger({ level: 'silent' }),
    })
    const { WriteBehind } = await application.import<WriteBehindModule>('@arq-ts/write-behind')
    const cache = new WriteBehind({ client, redis: database.url })
    await cache.writeBehind('k', { n: 1 }, { persister: 'app:save', delayMs: 600_000 })
    await Promise.all([answer('cache', 'ls'), answer('cache', 'show', 'k')])
    expect(await answer('cache', 'flush', 'k')).toMatchObject({ matching: 1, flushed: 1 })
    await answer('cache', 'show', 'k')
    await cache.close()

    for (const collection of [after, 'kept'])
      await client.enqueue('delete_collection', [collection, 60], { deferByMs: 3_600_000 })
    await answer('collections', 'ls')
    await Promise.all([
      answer('collections', 'keep', 'kept'),
      answer('collections', 'delete-now', after, '--yes', '--wait'),
    ])
    await client.close()

    const [failed, ...required] = await Promise.all([
      application.run('canary', 'show', 'nothing', '--json'),
      ...['canary', 'cache', 'collections'].map((noun) => application.run(noun)),
    ])
    expect(differences('Failure', JSON.parse(failed.stdout))).toEqual([])
    const verbs = required.flatMap(({ stderr }) => {
      const [, noun, list] = /(\w+): a command is required: (.*)/.exec(stderr)!
      return list!.split(/, | or /).map((verb) => `${noun} ${verb}`)
    })
    expect([...seen].sort()).toEqual([...verbs].sort())
    expect([...documentedVerbs].sort()).toEqual([...verbs].sort())
  }, 90_000)
})

/** The parts of @arq-ts/write-behind that this test uses. */
interface WriteBehindModule {
  WriteBehind: new (options: object) => {
    writeBehind(key: string, value: unknown, options: object): Promise<unknown>
    close(): Promise<void>
  }
}
