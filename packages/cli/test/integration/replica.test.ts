import { Client, createLogger } from '@arq-ts/core'
import { ReplicatedRedis } from '@arq-ts/test-support'
import { planFleet, writeFleet } from '@arq-ts/test-support/fleet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runHere } from '../support/command.ts'

/** Enough for a look at the database that is worth remembering, which a replica refuses. */
const KEYS = 60_000

let redis: ReplicatedRedis
let jobId: string

beforeAll(async () => {
  redis = await ReplicatedRedis.start()
  const writer = redis.admins.primary
  const plan = planFleet({ seed: 41, jobs: 300, nowMs: Date.now(), damaged: false })
  await writeFleet(writer, plan)
  jobId = plan.jobs.find(({ queueName, state }) => queueName === 'emails' && state === 'queued')!.jobId
  // A note of a queue that is gone, which a look at all keys would forget.
  await writer.hset('arq:obs:noted', 'gone', 1)
  for (let from = 0; from < KEYS; from += 5_000)
    await writer.mset(Array.from({ length: 5_000 }, (_, i) => [`other:${from + i}`, 'x']).flat())
  await redis.inStep()
}, 90_000)
afterAll(() => redis?.stop())

const at = (server: 'primary' | 'replica', words: readonly string[]) =>
  runHere([...words, '--redis', redis[server].url])

test.each(
  [
    'queue ls',
    'queue ls --deep',
    'queue show emails',
    'queue history',
    'top',
    'job ls',
    'job ls --status running',
    'job ls --status failed',
    'job ls --text nobody@example',
    'job show ID',
    'job explain ID --queue emails',
    'dead ls',
    'dead ls --group-by error',
    'workers',
    'cron ls',
    'cron history',
    'schedule ls',
    'flow ls',
    'health --queue emails',
    'health --deep',
  ].map((verb) => [verb]),
)('%s says of a replica what it says of its primary, and writes nothing', async (verb) => {
  const words = [...verb.split(' ').map((word) => (word === 'ID' ? jobId : word)), '--json']
  const before = await redis.refusedWrites()
  const [expected, found] = [await at('primary', words), await at('replica', words)]
  expect(found.code, found.stderr).toBe(expected.code)
  expect(shape(found.stdout)).toEqual(shape(expected.stdout))
  // A write that serves nobody but later looks is tried once, and never waited for.
  expect((await redis.refusedWrites()) - before).toBeLessThanOrEqual(2)
})

/** The answer without what changes with time and with the server. */
function shape(json: string): unknown {
  const value = JSON.parse(
    json.replaceAll(/127\.0\.0\.1:\d+/g, 'server').replaceAll(/answered in \d+ ms|due [^"]+? ago/g, ''),
    (key, value: unknown) => (/(At|Ms|atMs)$|^due|^now/.test(key) ? undefined : value),
  ) as Record<string, unknown>
  const checks = value.checks as { check: string }[] | undefined
  if (checks) return checks.filter(({ check }) => check !== 'other queues')
  // Kept results come in the order of each server's own table, and a busy machine looks at fewer keys in its time.
  const jobs = value.jobs as { jobId: string }[] | undefined
  const { complete: _, incomplete: __, ...rest } = value
  return jobs ? { ...rest, jobs: jobs.toSorted((a, b) => (a.jobId < b.jobId ? -1 : 1)) } : rest
}

test('the doctor says of a replica that it is one, and finds what it finds at the primary', async () => {
  const checks = async (server: 'primary' | 'replica') => {
    const { findings } = JSON.parse((await at(server, ['doctor', '--json'])).stdout) as {
      findings: { check: string; severity: string }[]
    }
    return findings.filter(({ check }) => check !== 'replication').map(({ check }) => check)
  }
  expect(await checks('replica')).toEqual(await checks('primary'))
  const { code, stdout } = await at('replica', ['doctor'])
  expect(code).toBe(1)
  expect(stdout).toContain('the server is a replica')
})

test.each([['queue pause emails'], ['job enqueue f --queue emails']])(
  '%s is refused at a replica by what it is, with what to do',
  async (verb) => {
    const { code, stdout, stderr } = await at('replica', verb.split(' '))
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(
      /^arq-ts: Redis at \S+ is a replica, and takes no writes: READONLY .*\n.*address of its primary/,
    )
  },
)

test.each([
  ['maxmemory', '1mb', /is full, and takes no writes: OOM .*\n.*maxmemory/],
  ['min-replicas-to-write', '3', /has fewer replicas .*: NOREPLICAS .*\n.*INFO replication/],
])(
  'a server that takes no writes because of %s is named as such, not as one that is away',
  async (name, value, says) => {
    const admin = redis.admins.primary
    const [, before = ''] = (await admin.config('GET', name)) as string[]
    try {
      await admin.config('SET', name, value)
      const { code, stderr } = await at('primary', ['queue', 'pause', 'emails'])
      expect(code).toBe(2)
      expect(stderr).toMatch(says)
      expect((await at('primary', ['queue', 'ls', '--json'])).code).toBe(0)
    } finally {
      await admin.config('SET', name, before)
    }
  },
)

test('a client that only looks at a replica stays connected', async () => {
  const client = new Client({ redis: redis.replica.url, logger: createLogger({ level: 'silent' }) })
  try {
    const connections = async () =>
      Number(/total_connections_received:(\d+)/.exec(await redis.admins.replica.info('stats'))![1])
    await client.now()
    const before = await connections()
    await client.queues.names()
    expect(await connections()).toBe(before)
  } finally {
    await client.close()
  }
})
