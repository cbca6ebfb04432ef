import { measureCommands } from '@arq-ts/core'
import { parseId, showId } from '@arq-ts/protocol/jobs'
import { RedisServer, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { ADDRESSES, FUNCTIONS, Ledger, NO_AGES, planFleet, writeFleet } from '@arq-ts/test-support/fleet'
import type { State } from '@arq-ts/test-support/fleet'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runHere } from '../support/command.ts'
import type { Ran } from '../support/command.ts'

const STATES: readonly State[] = ['queued', 'deferred', 'retrying', 'running', 'complete', 'failed', 'aborted', 'dead']
const AGE_MS = (NO_AGES.from + NO_AGES.to) / 2
/** Fleets in one database, each in a namespace of its own. The names of one begin as the prefixes of the others do. */
const FLEETS: readonly [seed: number, keyPrefix: string][] = [
  [1, ''],
  [2, 'orders:'],
  [3, 'orders:eu:'],
]

/** Expects the same ids, whatever their order; a failure names only those that are missing or too many. */
function expectSame(found: readonly string[], expected: readonly string[]): void {
  const difference = {
    missing: expected.filter((id) => !found.includes(id)),
    surplus: found.filter((id) => !expected.includes(id)),
    twice: found.filter((id, i) => found.indexOf(id) !== i),
  }
  expect(difference).toEqual({ missing: [], surplus: [], twice: [] })
}

interface Answer {
  complete: boolean
  incomplete: string[]
}

/** Answers of every verb about a fleet, compared with what its generator knows. */
describe.each(FLEETS.slice(0, 2))('about the fleet of seed %i under the prefix %j', (seed, keyPrefix) => {
  let database: Database
  let ledger: Ledger

  beforeAll(async () => {
    database = await takeDatabase()
    const [seconds] = await database.redis.time()
    for (const [each, prefix] of FLEETS) {
      const plan = planFleet({ seed: each, jobs: 400, nowMs: Number(seconds) * 1_000 })
      await writeFleet(database.redis, plan, prefix)
      if (each === seed) ledger = new Ledger(plan, prefix)
    }
  })
  afterAll(() => database.release())

  /** True for a sentence that names a key of another type: what such a key holds is missing wherever it is asked for. */
  const isDamage = (why: string) => ledger.wrongKeys().some((key) => why.includes(showId(key)))
  const env = keyPrefix === '' ? {} : { ARQ_TS_TASK_QUEUE__KEY_PREFIX: keyPrefix }
  const run = (...args: string[]): Promise<Ran> => runHere([...args, '--redis', database.url], { env })
  const json = async <T>(...args: string[]): Promise<T & Answer> =>
    JSON.parse((await run(...args, '--json')).stdout) as T & Answer

  /** The rows of a table, without its titles, split where two spaces stand. */
  const table = async (...args: string[]): Promise<string[][]> => {
    const { stdout } = await run(...args)
    const [, ...lines] = stdout.trimEnd().split('\n')
    return lines.map((line) => line.trim().split(/ {2,}/))
  }

  test('queue ls has each queue, and its numbers are right', async () => {
    interface Row {
      queueName: string
      pending: number
      deferred: number
      running: number
      dead: number
      workers: number
      python: object | null
      paused: boolean
      exact: boolean
      problems: string[]
    }
    const { queues, complete, incomplete } = await json<{ queues: Row[] }>('queue', 'ls')
    const rows = new Map(queues.map((queue) => [queue.queueName, queue]))
    for (const expected of ledger.queues()) {
      const { queueName, hasPython, isBroken, ...numbers } = expected
      const row = rows.get(queueName)
      expect(row, queueName).toBeDefined()
      expect(row!.python !== null, queueName).toBe(hasPython)
      if (!isBroken) expect(row, queueName).toMatchObject({ ...numbers, exact: true })
      const isWrong = isBroken || ledger.plan.wrongKeys.some(({ key }) => key.endsWith(`:${queueName}`))
      const hasBadLine = ledger.plan.brokenHealth.some((each) => each.queueName === queueName)
      expect(row!.problems.length, queueName).toBe(isWrong || hasBadLine ? 1 : 0)
    }
    // The queue of the configuration is shown however empty it is.
    expect([...rows.keys()].sort()).toEqual(['default', ...ledger.queues().map(({ queueName }) => queueName)].sort())
    expect(complete).toBe(false)
    expect(incomplete.some((why) => why.includes('locked'))).toBe(true)
    expect(incomplete.filter((why) => !isDamage(why))).toEqual([])
    const shown = await table('queue', 'ls')
    const names = shown.map(([name]) => parseId(name!.replace(/( \((damaged|paused)\))+$/, '')))
    expect(names.sort()).toEqual(queues.map(({ queueName }) => queueName).sort())
  })

  test('queue show says of each queue what queue ls says', async () => {
    for (const { queueName, pending, deferred, running, dead, isBroken } of ledger.queues()) {
      if (isBroken) continue
      const shown = await json('queue', 'show', showId(queueName))
      expect(shown, queueName).toMatchObject({ queueName, pending, deferred, running, dead })
    }
  })

  const listed = async (...args: string[]): Promise<string[]> => {
    const answer = await json<{ jobs: { jobId: string }[] }>('job', 'ls', '--limit', '100000', ...args)
    expect(answer.incomplete.filter((why) => !isDamage(why))).toEqual([])
    return answer.jobs.map(({ jobId }) => jobId).sort()
  }

  test.each(STATES)('job ls --status %s has all such jobs of both languages, and no others', async (state) => {
    const ids = await listed('--status', state)
    expectSame(ids, ledger.jobIds({ states: [state] }))
    expect(ids.length).toBeGreaterThan(0)
    const languages = new Set(ids.map((id) => ledger.job(id).language))
    if (ids.length > 20) expect(languages).toEqual(new Set(['python', 'arq-ts']))
  })

  test('job ls without a status has the jobs that have not ended', async () => {
    expectSame(await listed(), ledger.jobIds())
    expect((await table('job', 'ls', '--limit', '100000')).length).toBe(ledger.jobIds().length)
  })

  test('job ls by queue, function, text, age, and all of them together', async () => {
    const all = STATES.flatMap((state) => ['--status', state])
    for (const { queueName, isBroken } of ledger.queues()) {
      if (isBroken) continue
      expect(await listed(...all, '--queue', showId(queueName)), queueName).toEqual(
        ledger.jobIds({ states: STATES, queueName }),
      )
    }
    for (const functionName of FUNCTIONS) {
      expectSame(await listed(...all, '--function', functionName), ledger.jobIds({ states: STATES, functionName }))
    }
    for (const text of ADDRESSES) {
      expectSame(await listed(...all, '--text', text), ledger.jobIds({ states: STATES, text }))
    }
    const older = ['--older-than', `${AGE_MS}ms`]
    expectSame(await listed(...all, ...older), ledger.jobIds({ states: STATES, olderThanMs: AGE_MS }))
    const states: State[] = ['queued', 'failed', 'dead']
    const narrow = { states, functionName: 'send_mail', text: 'ann@', olderThanMs: AGE_MS, queueName: 'emails' }
    const flags = states.flatMap((state) => ['--status', state])
    expect(await listed(...flags, '--function', 'send_mail', '--text', 'ann@', ...older, '--queue', 'emails')).toEqual(
      ledger.jobIds(narrow),
    )
  })

  test('job ls names what is wrong with a job, and of no healthy one', async () => {
    const all = STATES.flatMap((state) => ['--status', state])
    const { jobs } = await json<{ jobs: { jobId: string; problems: string[] }[] }>(
      'job',
      'ls',
      '--limit',
      '100000',
      ...all,
    )
    const unnamed = jobs.filter(({ jobId, problems }) => (ledger.job(jobId).damage !== null) !== problems.length > 0)
    expect(unnamed).toEqual([])
  })

  test('job show says of each damaged job what job ls says', async () => {
    for (const { jobId, state, damage } of ledger.plan.jobs.filter((job) => job.damage !== null)) {
      const shown = await json<{ status: string; problems: string[] }>('job', 'show', showId(jobId))
      expect(shown.status, `${damage}`).toBe(state)
      expect(shown.problems.length, `${damage}`).toBeGreaterThan(0)
    }
  })

  test('dead ls has all dead letters, those without an entry too', async () => {
    const dead = ledger.jobIds({ states: ['dead'] })
    const answer = await json<{ deadLetters: { jobId: string; problems: string[] }[]; total: number }>(
      'dead',
      'ls',
      '--limit',
      '100000',
    )
    expect(answer.deadLetters.map(({ jobId }) => jobId).sort()).toEqual(dead)
    expect(answer).toMatchObject({ total: dead.length, complete: true })
    for (const { jobId, problems } of answer.deadLetters) {
      expect(problems.length > 0, jobId).toBe(ledger.job(jobId).damage !== null)
    }
    const rows = await table('dead', 'ls', '--limit', '100000')
    expect(rows.map(([id]) => parseId(id!)).sort()).toEqual(dead)
  })

  test('workers has the live workers of both languages, and names those that cannot be read', async () => {
    const answer = await json<{ workers: { worker: string; language: string; running: number; queues: string[] }[] }>(
      'workers',
    )
    const live = ledger.plan.workers.filter(({ isBroken }) => !isBroken)
    const ours = answer.workers.filter(({ language }) => language === 'arq-ts')
    expect(ours.map(({ worker }) => worker).sort()).toEqual(live.map(({ workerId }) => workerId).sort())
    for (const { worker, running } of ours) {
      const held = ledger.plan.jobs.filter(({ holder }) => holder?.startsWith(`${worker}/`))
      expect(running, worker).toBe(held.length)
    }
    const python = answer.workers.filter(({ language }) => language === 'python').flatMap(({ queues }) => queues)
    const expected = ledger.queues().filter(({ hasPython }) => hasPython)
    expect(python.sort()).toEqual(expected.map(({ queueName }) => queueName))
    for (const { workerId } of ledger.plan.workers.filter(({ isBroken }) => isBroken)) {
      expect(answer.incomplete.some((why) => why.includes(workerId))).toBe(true)
    }
    expect((await table('workers')).length).toBe(answer.workers.length)
  })

  interface Finding {
    check: string
    queueName: string | null
    jobIds: string[]
    damaged: { key: string }[]
  }
  const SERVER = ['eviction-policy', 'persistence', 'clock', 'replication']

  test('doctor finds every damage, and accuses nothing that is healthy', async () => {
    const answer = await json<{ findings: Finding[]; looked: { jobs: number } }>('doctor')
    const found = answer.findings
      .filter(({ check }) => !SERVER.includes(check))
      .map(({ check, queueName, jobIds, damaged }) => {
        const keys = damaged.map(({ key }) => key)
        const about =
          check === 'paused' || check === 'no-workers' || check === 'bad-health-line' ? [queueName!] : jobIds
        return { check, queueName, about: (keys.length > 0 ? keys : about).slice().sort() }
      })
    // Workers that cannot be read come one by one, each with its reason.
    const workers = found.filter(({ check }) => check === 'unreadable-worker')
    const others = found.filter(({ check }) => check !== 'unreadable-worker')
    const merged = [...others, { ...workers[0]!, about: workers.flatMap(({ about }) => about).sort() }]
    const order = (a: { check: string; queueName: string | null }) => `${a.queueName ?? ''} ${a.check}`
    expect(merged.sort((a, b) => (order(a) < order(b) ? -1 : 1))).toEqual(ledger.findings())
    expect(answer.looked.jobs).toBe(ledger.jobIds().length)
    expect(answer.incomplete).toEqual([expect.stringContaining('the queue "locked"')])
    const { stdout, stderr } = await run('doctor')
    for (const { queueName } of ledger.findings()) if (queueName !== null) expect(stdout).toContain(showId(queueName))
    expect(stderr).toContain('not looked at: the queue "locked"')
  })

  test('doctor --limit says of each queue that it did not look at all of it', async () => {
    const { complete, incomplete } = await json('doctor', '--limit', '1')
    const cut = ledger.queues().filter(({ pending, deferred, running }) => pending + deferred + running > 1)
    expect(complete).toBe(false)
    for (const { queueName } of cut) expect(incomplete.some((why) => why.includes(`"${queueName}"`))).toBe(true)
  })

  test('top --json has the numbers of queue ls, of workers and of dead ls', async () => {
    const top = await json<{
      queues: { queueName: string; pending: number; running: number }[]
      workers: { id: string }[]
      python: { queueName: string }[]
      countDead: number
    }>('top')
    for (const { queueName, pending, running, isBroken } of ledger.queues()) {
      const row = top.queues.find((each) => each.queueName === queueName)
      if (!isBroken) expect(row, queueName).toMatchObject({ pending, running })
    }
    expect(top.workers.length).toBe(ledger.plan.workers.filter(({ isBroken }) => !isBroken).length)
    expect(top.countDead).toBe(ledger.jobIds({ states: ['dead'] }).length)
    expect(top.incomplete.length).toBeGreaterThan(0)
    expect(top.complete).toBe(false)
  })

  test('health is well where a worker of either language writes its line, and nowhere else', async () => {
    for (const { queueName, hasPython } of ledger.queues()) {
      const { code, stdout } = await run('health', '--queue', showId(queueName), '--json')
      expect(code, queueName).toBe(hasPython ? 0 : 1)
      expect(JSON.parse(stdout), queueName).toMatchObject({ ok: hasPython })
    }
  })
})

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
    server = await RedisServer.start() // of its own: its commands are counted
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
