import { parseId, showId } from '@arq-ts/protocol/jobs'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { ADDRESSES, FUNCTIONS, Ledger, NO_AGES, planFleet, STATES, writeFleet } from '@arq-ts/test-support/fleet'
import type { State } from '@arq-ts/test-support/fleet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runHere } from '../support/command.ts'
import type { Ran } from '../support/command.ts'

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

  test('job ls names what holds a job that waits for no time, and gives every other its due time', async () => {
    const { jobs } = await json<{
      jobs: { jobId: string; hold: object | null; due: string | null; problems: string[] }[]
    }>('job', 'ls', '--limit', '100000')
    const held = jobs.filter(({ hold }) => hold !== null)
    const found = held.map(({ jobId, hold }) => ({ jobId, hold })).sort((a, b) => (a.jobId < b.jobId ? -1 : 1))
    expect(found).toEqual(ledger.held())
    expect(held.filter(({ due }) => due !== null)).toEqual([])
    expect(jobs.filter(({ due, hold, problems }) => due === null && hold === null && problems.length === 0)).toEqual([])
    const rows = await table('job', 'ls', '--limit', '100000')
    const shown = rows.filter((cells) => cells.some((cell) => cell.startsWith('held: ')))
    expect(shown.length).toBe(held.length)
    // No hold is a time: a queue of held jobs alone has no next one.
    expect(await json('queue', 'show', 'gated')).toMatchObject({ pending: 0, deferred: 4, nextDueMs: null })
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
