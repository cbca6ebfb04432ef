import type { Redis } from 'ioredis'
import { beforeEach, describe, expect, test } from 'vitest'
import { newDeployment, rulesOf, rulesSchema } from '../../src/config.ts'
import { keys } from '../../src/keys.ts'
import { fail } from '../../src/plan.ts'
import { ending } from '../../src/state.ts'
import { DeploymentStore } from '../../src/store.ts'
import type { Deployment } from '../../src/types.ts'
import { useHarness } from '../support/harness.ts'

const bench = useHarness()
let redis: Redis
let store: DeploymentStore
beforeEach(() => {
  redis = bench.redis()
  store = new DeploymentStore(redis, keys(''))
})

const rules = rulesOf(rulesSchema.parse({}))
const stages = [{ percentage: 30, durationMinutes: 5, errorThreshold: 0.05, latencyThreshold: 200 }]
const made = (id: string, alias = 'products'): Deployment =>
  newDeployment(
    { id, alias, oldCollection: 'v1', newCollection: 'v2', stages, currentStage: 0, autoRollback: true, rules },
    id,
    1_700_000_000_000,
  )
const begun = (state: Deployment): Deployment => ({ ...state, status: 'running', begunAtMs: 1, stageStartedAtMs: 1 })
const write = async (before: Deployment | null, next: Deployment) => store.write(before, next, [], 1_700_000_000_500)
const read = async (id: string) => (await store.read(id))!
const route = async () => JSON.parse((await redis.get('canary:routes:products')) ?? 'null') as unknown

describe('a state is written', () => {
  test('with the route that follows from it, as Python has it, for an hour', async () => {
    await write(null, made('a'))
    expect(await route()).toBeNull()
    await write(await read('a'), begun(made('a')))
    expect(await route()).toEqual({
      deployment_id: 'a',
      alias: 'products',
      old_collection: 'v1',
      new_collection: 'v2',
      percentage: 30,
      status: 'running',
      updated_at: 1_700_000_000.5,
    })
    expect(await redis.ttl('canary:routes:products')).toBeGreaterThan(3_500)
    await write(await read('a'), ending(begun(made('a')), 'rollback', 'too slow', 5))
    expect(await route()).toBeNull()
  })

  test('unless it was changed since: a driver that slept brings no route back', async () => {
    await write(null, made('a'))
    const slept = await read('a')
    await write(slept, fail(begun(made('a')), 'somebody ended it', 5).next)
    expect(await write(slept, begun(made('a')))).toBe('changed')
    expect(await route()).toBeNull()
    expect((await read('a')).status).toBe('failed')
  })

  test('without touching the route of another deployment, or one that nobody can read', async () => {
    for (const theirs of ['{"deployment_id":"another"}', 'garbage', '[1]', '5']) {
      await redis.set('canary:routes:products', theirs)
      const id = `d${theirs.length}`
      await write(null, made(id))
      await write(await read(id), fail(made(id), 'over', 5).next)
      expect(await redis.get('canary:routes:products')).toBe(theirs)
    }
  })
})

describe('an alias', () => {
  test('is of one deployment at a time, and free when that is over', async () => {
    expect(await write(null, made('a'))).toBe('written')
    expect(await write(null, made('b'))).toEqual({ takenBy: 'a' })
    expect(await store.read('b')).toBeNull()
    expect(await write(null, made('c', 'another-alias'))).toBe('written')
    await write(await read('a'), fail(made('a'), 'over', 5).next)
    expect(await write(null, made('b'))).toBe('written')
    expect(await write(await read('a'), begun(made('a')))).toEqual({ takenBy: 'b' })
  })

  test('is of one, however many ask at once', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => write(null, made(`d${i}`))))
    expect(all.filter((written) => written === 'written')).toHaveLength(1)
  })

  test('is free where its deployment is not among the active ones any more', async () => {
    await redis.set('canary:alias:products', 'lost')
    expect(await write(null, made('a'))).toBe('written')
    expect(await redis.get('canary:alias:products')).toBe('a')
  })
})

test('the history is forgotten after 90 days, its list too', async () => {
  await redis.zadd('canary:history', 1_600_000_000_000, 'long-ago')
  await write(null, made('a'))
  await write(await read('a'), fail(made('a'), 'over', 1_700_000_000_000).next)
  expect(await redis.zrange('canary:history', 0, '-1')).toEqual(['a'])
  expect(await redis.ttl('canary:deployment:a')).toBeGreaterThan(89 * 86_400)
})

describe('an id of a deployment may be any text:', () => {
  test('one that looks like a key of another keeps nobody from driving that', async () => {
    const names = ['d', 'd:driver', 'd:tick:0', '*', 'd\n"}', 'canary:active']
    for (const id of names) {
      const asked = made(id, `alias_${names.indexOf(id)}`)
      expect(await store.write(null, asked, [], 0), id).toBe('written')
    }
    for (const id of names) {
      const lock = await store.lock(id, 60_000)
      expect(lock, id).not.toBeNull()
      expect(await store.read(id)).toMatchObject({ id })
    }
    expect(await store.active()).toHaveLength(names.length)
  })
})
