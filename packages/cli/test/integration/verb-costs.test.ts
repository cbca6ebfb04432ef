import { measureCommands } from '@arq-ts/core'
import { RedisServer } from '@arq-ts/test-support'
import { planFleet, STATES, writeFleet } from '@arq-ts/test-support/fleet'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runHere } from '../support/command.ts'

describe('the cost of the verbs at 10,000 and at 40,000 jobs', () => {
  interface Cost {
    /** Commands that were sent; a script is one. */
    commands: number
    /** Keys that were looked up, whether they exist or not. */
    keys: number
  }
  let server: RedisServer
  let redis: Redis
  let costs: { small: Map<string, Cost>; large: Map<string, Cost> }
  let sizes: { small: number; large: number }
  let dead: number

  const lookups = async (): Promise<number> => {
    const info = await redis.info('stats')
    const field = (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(info)![1])
    return field('keyspace_hits') + field('keyspace_misses')
  }
  const cost = async (verb: string, jobId: string): Promise<Cost> => {
    const words = verb.replace('ID', jobId).split(' ')
    const before = await lookups()
    const { value, commands } = await measureCommands(() => runHere([...words, '--redis', server.url, '--json']))
    expect(value.stdout, verb).not.toBe('')
    return { commands, keys: (await lookups()) - before }
  }

  /** Verbs that read a bounded part of what there is. */
  const BOUNDED = [
    'queue show emails',
    'queue show imports',
    'health --deep --queue emails',
    'job show ID',
    'job explain ID',
    'job explain ID --queue emails',
    'job ls',
    ...STATES.filter((state) => state !== 'running').map((state) => `job ls --status ${state}`),
    'job ls --status deferred --function send_mail',
    'dead ls',
    'cron ls',
  ]
  /** Verbs that look for queues or holds by the names of all keys, and how often. */
  const LOOKING: readonly [verb: string, passes: number][] = [
    ['queue ls', 2],
    ['top', 2],
    ['workers', 1],
    ['job show nowhere', 1],
    ['job ls --status running', 2],
    ['doctor', 1],
  ]

  const measure = async (jobs: number) => {
    await redis.flushdb()
    const plan = planFleet({ seed: 21, jobs, nowMs: Date.now(), damaged: false })
    await writeFleet(redis, plan)
    const { jobId } = plan.jobs.find(({ queueName, state }) => queueName === 'emails' && state === 'deferred')!
    const found = new Map<string, Cost>()
    for (const verb of [...BOUNDED, ...LOOKING.map(([each]) => each)]) found.set(verb, await cost(verb, jobId))
    return { found, keys: await redis.dbsize(), dead: await redis.zcard('arq:dead') }
  }

  beforeAll(async () => {
    // Its commands are counted: no other test may use this server.
    server = await RedisServer.start()
    redis = new Redis(server.url)
    const [small, large] = [await measure(10_000), await measure(40_000)]
    costs = { small: small.found, large: large.found }
    sizes = { small: small.keys, large: large.keys }
    dead = large.dead
  })
  afterAll(async () => {
    redis.disconnect()
    await server.stop()
  })

  /** A queue is counted by up to 5,000 members each of two ranges, by threes of commands for a thousand. */
  const COUNTED = { commands: 30, keys: 20_000 }

  test.each(BOUNDED)('%s does not cost more', (verb) => {
    const [small, large] = [costs.small.get(verb)!, costs.large.get(verb)!]
    const isCount = /^(queue show|health)/.test(verb)
    const grown = { commands: large.commands - small.commands, keys: large.keys - small.keys }
    // Dead letters are bounded; a call counts a thousand of them.
    if (isCount) {
      expect(grown.commands).toBeLessThanOrEqual(COUNTED.commands + Math.ceil(dead / 1_000))
      expect(grown.keys).toBeLessThanOrEqual(COUNTED.keys + 2 * dead)
    } else {
      // Results and dead letters are read one by one, until enough of them fit; other jobs by pages of 500.
      const isEnded = /(complete|failed|aborted|dead)$/.test(verb)
      expect(grown.commands).toBeLessThanOrEqual(isEnded ? 3_000 : 60)
      expect(large.keys).toBeLessThanOrEqual(3_500)
    }
  })

  test.each(LOOKING)('%s costs the steps of its passes over the names more: %i', (verb, passes) => {
    const [small, large] = [costs.small.get(verb)!, costs.large.get(verb)!]
    const steps = passes * Math.ceil((sizes.large - sizes.small) / 1_000)
    const queues = 12
    // `doctor` reads every job, by two commands for each kind of key and page, and asks for the type of each key.
    const allowed =
      verb === 'doctor'
        ? Math.ceil((sizes.large - sizes.small) / 10)
        : queues * COUNTED.commands + Math.ceil(dead / 1_000)
    expect(large.commands - small.commands).toBeLessThanOrEqual(steps + allowed)
  })

  test('job explain asks for what decides about one job, and counts no queue', () => {
    const { commands, keys } = costs.large.get('job explain ID --queue emails')!
    expect(commands).toBeLessThanOrEqual(30)
    expect(keys).toBeLessThanOrEqual(60)
    // Where no queue is named, each that is known is asked.
    expect(costs.large.get('job explain ID')!.commands).toBeLessThanOrEqual(50)
  })

  test('health --deep reads no dead letter more often than to count it', () => {
    expect(costs.large.get('health --deep --queue emails')!.commands).toBeLessThanOrEqual(60)
  })

  test('job ls without a bound reads the queues that are known first, and looks for others only after these', () => {
    expect(costs.large.get('job ls')!.commands).toBeLessThan(150)
  })
})
