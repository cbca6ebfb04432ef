import { Client } from '@arq-ts/core'
import { showId } from '@arq-ts/protocol/jobs'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { Ledger, planFleet, STATES, writeFleet } from '@arq-ts/test-support/fleet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDashboard } from '../../src/index.ts'
import type {
  Dashboard,
  DoctorReport,
  JobPage,
  JobView,
  Overview,
  QueueDetails,
  QueueList,
  WorkerList,
} from '../../src/index.ts'
import { get, jsonOf, logger } from '../support/harness.ts'

/** Fleets in one database, each in a namespace of its own. The names of one begin as the prefixes of the others do. */
const FLEETS: readonly [seed: number, keyPrefix: string][] = [
  [4, ''],
  [5, 'orders:'],
  [6, 'orders:eu:'],
]
const SERVER = ['eviction-policy', 'persistence', 'clock', 'replication']

/** A name as a segment of a path. */
const segment = (name: string) =>
  encodeURIComponent(/^\.\.?$/.test(name) ? name.replaceAll('.', '\\x2e') : showId(name))

/** Answers of the API about a fleet, compared with what its generator knows. */
describe.each(FLEETS)('about the fleet of seed %i under the prefix %j', (seed, keyPrefix) => {
  let database: Database
  let ledger: Ledger
  let client: Client
  let dashboard: Dashboard

  beforeAll(async () => {
    database = await takeDatabase()
    const [seconds] = await database.redis.time()
    for (const [each, prefix] of FLEETS) {
      const plan = planFleet({ seed: each, jobs: 400, nowMs: Number(seconds) * 1_000 })
      await writeFleet(database.redis, plan, prefix)
      if (each === seed) ledger = new Ledger(plan, prefix)
    }
    client = new Client({ redis: database.url, keyPrefix, logger, queueName: 'emails' })
    dashboard = createDashboard({ client })
  })
  afterAll(async () => {
    await dashboard.close()
    await client.close()
    await database.release()
  })

  const read = <T>(path: string) => jsonOf<T>(get(dashboard, `/api/${path}`))
  const names = () => ledger.queues().map(({ queueName }) => queueName)

  test('the queues are those that there are, with the numbers that they have', async () => {
    const { queues, complete } = await read<QueueList>('queues')
    expect(complete).toBe(true)
    expect(queues.map(({ queueName }) => queueName).sort()).toEqual(
      [...names(), 'arq:queue'].filter((name, i, all) => all.indexOf(name) === i).sort(),
    )
    for (const {
      queueName,
      hasPython,
      isBroken,
      dead,
      deferred,
      paused,
      pending,
      running,
      workers,
    } of ledger.queues()) {
      const row = queues.find((each) => each.queueName === queueName)!
      expect([queueName, row.python]).toEqual([queueName, hasPython])
      if (!isBroken) expect(row, queueName).toMatchObject({ pending, deferred, running, dead, paused, workers })
      else expect([queueName, row.state]).toEqual([queueName, 'damaged'])
    }
  })

  test('the overview counts what the queues have together', async () => {
    const { totals, headlines } = await read<Overview>('overview')
    const sum = (of: 'pending' | 'deferred' | 'running') => ledger.queues().reduce((total, row) => total + row[of], 0)
    expect(totals).toMatchObject({
      pending: sum('pending'),
      deferred: sum('deferred'),
      running: sum('running'),
      dead: ledger.jobIds({ states: ['dead'] }).length,
      workers: ledger.plan.workers.filter(({ isBroken }) => !isBroken).length,
      pythonWorkers: ledger.queues().filter(({ hasPython }) => hasPython).length,
    })
    const stalled = headlines.filter(({ kind }) => kind === 'stalled').map(({ subject }) => subject.name)
    const unserved = ledger.findings().filter(({ check }) => check === 'no-workers')
    expect(stalled.sort()).toEqual(unserved.map(({ queueName }) => queueName).sort())
  })

  test('each queue has a page of its own, whatever its name', async () => {
    for (const { queueName, pending, deferred, isBroken } of ledger.queues()) {
      const { queue } = await read<QueueDetails>(`queues/${segment(queueName)}`)
      expect(queue.queueName).toBe(queueName)
      if (!isBroken) expect(queue, queueName).toMatchObject({ pending, deferred })
    }
  })

  test.each(STATES)('the pages of jobs that are %s have all such jobs, and no others', async (state) => {
    const found: string[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: JobPage = await read(`jobs?limit=200&q=status:${state}&cursor=${encodeURIComponent(cursor)}`)
      found.push(...page.jobs.map(({ jobId }) => jobId))
      cursor = page.cursor
    }
    expect(found.sort()).toEqual(ledger.jobIds({ states: [state] }))
  })

  test('a job that is held says by what, and has no due time; every other has one', async () => {
    const held: string[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: JobPage = await read(`jobs?limit=200&q=status:deferred&cursor=${encodeURIComponent(cursor)}`)
      for (const { jobId, heldBy, dueMs, problems } of page.jobs) {
        if (heldBy !== null) held.push(`${jobId} ${heldBy}`)
        if (problems.length === 0) expect([jobId, dueMs === null]).toEqual([jobId, heldBy !== null])
      }
      cursor = page.cursor
    }
    expect(held.sort()).toEqual(
      ledger
        .held()
        .map(({ jobId, hold }) => `${jobId} ${hold.by}`)
        .sort(),
    )
    expect((await read<QueueDetails>('queues/gated')).queue).toMatchObject({ deferred: 4, nextDueMs: null })
  })

  test('each job has a page of its own, whatever its id and its damage', async () => {
    const isOdd = ({ damage, jobId }: { damage: unknown; jobId: string }) =>
      damage !== null || !/^[\da-f]+$/.test(jobId)
    const odd = ledger.plan.jobs.filter(isOdd)
    expect(odd.length).toBeGreaterThan(40)
    for (const { jobId, state, damage } of odd) {
      const job = await read<JobView>(`jobs/${segment(jobId)}`)
      expect([job.jobId, job.status]).toEqual([jobId, state])
      expect([jobId, job.problems.length > 0]).toEqual([jobId, damage !== null])
    }
  })

  test('a search by a queue, an id or a function takes each name as the page shows it', async () => {
    for (const queueName of names().filter((name) => name !== 'locked')) {
      const chip = `queue:"${showId(queueName).replace(/["\\]/g, '\\$&')}"`
      const { jobs, exhausted } = await read<JobPage>(`jobs?limit=200&q=${encodeURIComponent(chip)}`)
      expect([queueName, exhausted]).toEqual([queueName, true])
      expect(jobs.map(({ jobId }) => jobId).sort()).toEqual(ledger.jobIds({ queueName }))
    }
  })

  test('the workers are those that live, of both languages', async () => {
    const { workers, python, unreadable } = await read<WorkerList>('workers')
    const [broken, live] = [true, false].map((is) => ledger.plan.workers.filter(({ isBroken }) => isBroken === is))
    expect(workers.map(({ id }) => id).sort()).toEqual(live!.map(({ workerId }) => workerId).sort())
    expect(unreadable.map(({ workerId }) => workerId).sort()).toEqual(broken!.map(({ workerId }) => workerId).sort())
    const served = ledger.queues().filter(({ hasPython }) => hasPython)
    expect(python.map(({ queueName }) => queueName).sort()).toEqual(served.map(({ queueName }) => queueName).sort())
  })

  test('the doctor finds what is wrong here, and nothing of the other namespaces', async () => {
    const { findings } = await read<DoctorReport>('doctor?limit=1000000')
    const checks = (of: readonly { check: string; queueName: string | null }[]) => [
      ...new Set(of.map(({ check, queueName }) => `${check} ${queueName ?? ''}`)),
    ]
    const found = findings.filter(({ check }) => !SERVER.includes(check))
    expect(checks(found).sort()).toEqual(checks(ledger.findings()).sort())
    for (const { check, queueName, about } of ledger.findings()) {
      if (['wrong-type', 'unreadable-worker', 'paused', 'no-workers', 'bad-health-line'].includes(check)) continue
      const row = found.find((each) => each.check === check && each.queueName === queueName)!
      expect([check, queueName, row.count]).toEqual([check, queueName, about.length])
    }
  })
})
