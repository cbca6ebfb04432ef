import { beforeEach, expect, test } from 'vitest'
import { LeaseKeeper } from '../../src/worker/lease-keeper.ts'
import { Slots } from '../../src/worker/slots.ts'
import { useBroker } from './broker-harness.ts'
import { silent } from './support.ts'

const LEASE_MS = 30_000
const HOUR_MS = 3_600_000

const bench = useBroker()
let slots: Slots
let keeper: LeaseKeeper

beforeEach(() => {
  slots = new Slots(1_000)
  keeper = new LeaseKeeper({
    broker: bench.broker,
    slots,
    leaseMs: LEASE_MS,
    lagWarnMs: Infinity,
    log: silent,
    onLost: () => {},
  })
})

/** Takes claimed jobs in, whose leases hold for now. */
async function addLeases(count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_, i) => `job-${i}`)
  await bench.enqueue(ids)
  for (const claim of await bench.claim(ids)) slots.add(claim, performance.now() + LEASE_MS)
}

test('a look for work waits for all leases that are being taken up, however many calls that takes', async () => {
  await addLeases(600)
  await keeper.renewNow()
  const { broker, redis } = bench
  // As after a sleep of an hour: the leases have lapsed, and the jobs are due.
  broker.clock.observe(Date.now() + HOUR_MS, Date.now())
  const keys = Array.from({ length: 600 }, (_, i) => broker.keys.inProgress(`job-${i}`))
  await redis.del(...keys)
  await redis.zadd('q', ...keys.flatMap((_, i) => [1, `job-${i}`]))
  const turn = keeper.renewNow()
  await keeper.afterSleep(new AbortController().signal)
  // On the connection of the renewals, behind those that were sent.
  expect(await broker.connection.run((client) => client.exists(...keys))).toBe(600)
  await turn
})

test('the places of a job follow the time that Redis says, not the one that this machine held for right', async () => {
  await addLeases(1)
  const ends: number[] = []
  for (const job of slots) {
    job.pass = {
      admit: () => Promise.resolve({ kind: 'admit' }),
      renew: (untilMs) => Promise.resolve(void ends.push(untilMs)),
      end: () => Promise.resolve(),
    }
  }
  const beforeMs = Date.now()
  bench.broker.clock.observe(Date.now() - HOUR_MS, Date.now())
  await keeper.renewNow()
  expect(ends).toHaveLength(1)
  expect(ends[0]).toBeGreaterThan(beforeMs)
})
