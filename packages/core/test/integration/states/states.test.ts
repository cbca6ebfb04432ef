import { eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { ArqError } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { collectStrayErrors } from '../../support/stray-errors.ts'
import { CALL_MS, callsOf, openFleet } from './fleet.ts'
import { states } from './states.ts'
import type { State } from './states.ts'

/** Generous, for machines that are busy. */
const HEALS_MS = 15_000
/** Lines about one state: a worker and two clients have two connections each, and each may say three things about it. */
const MAX_LINES = 18
/** Jobs that are enqueued before the state begins, and as many in it. */
const JOBS = 20
/** Functions whose runs the fleet counts. */
const FUNCTIONS = ['count', 'log', 'again', 'limited', 'count']
const COUNTED = new Set([...FUNCTIONS, 'hold'])
/** Calls that only read, which are answered where reads are. */
const READS = ['Job.status', 'Job.info', 'Jobs.details', 'Queues.stats', 'DeadLetters.list', 'Workers.list']
/** Answers of calls that have nothing to do with the state of Redis. */
const OWN_ANSWERS = /^ARQ_(FLOW|FLOW_FAILED|RESULT_NOT_FOUND|TIMEOUT)$/

/** Errors that nobody caught, in any test of this file. */
const stray = collectStrayErrors()

/** The error of each call, by its name; undefined where it has an answer. */
async function errorsOf(
  calls: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<Map<string, Error | undefined>> {
  const errors = new Map<string, Error | undefined>()
  await Promise.all(
    Object.entries(calls).map(async ([name, call]) => {
      errors.set(name, undefined)
      await call().catch((error: unknown) => errors.set(name, error as Error))
    }),
  )
  return errors
}

const isOwnAnswer = (error: Error | undefined) =>
  error === undefined || (error instanceof ArqError && OWN_ANSWERS.test(error.code))

/** Calls whose errors are no answers. */
const strange = (errors: ReadonlyMap<string, Error | undefined>) =>
  [...errors].filter(([, error]) => !isOwnAnswer(error)).map(([call, error]) => `${call}: ${String(error)}`)

/** Enqueues jobs that are due one after the other, and returns the ids of those that Redis has confirmed. */
async function enqueueAll(client: Client, prefix: string, delaysMs: readonly number[]) {
  const items = delaysMs.map(async (deferByMs, i) => {
    const jobId = `${prefix}-${i}`
    const job = await client.enqueue(FUNCTIONS[i % FUNCTIONS.length]!, [], { jobId, deferByMs }).catch(() => undefined)
    return job ? jobId : undefined
  })
  return (await Promise.all(items)).filter((jobId) => jobId !== undefined)
}

async function expectState(_name: string, state: State): Promise<void> {
  const server = await RedisServer.start({ args: state.args ?? [] })
  const admin = new Redis(server.url)
  await state.prepare?.(admin)
  const fleet = await openFleet(server.url)
  const { client, hasty, runs, warnings } = fleet
  try {
    // In good times each call has an answer, or an error that is an answer.
    expect(strange(await errorsOf(callsOf(client)))).toEqual([])
    await client.enqueue('hold', [], { jobId: 'held' })
    await client.schedules.put('each', { everyMs: 1_000, task: 'count', input: [] })
    const delays = Array.from({ length: JOBS }, (_, i) => i * 100)
    const known = ['held', ...(await enqueueAll(client, 'before', delays))]
    expect(known).toHaveLength(JOBS + 1)
    await fleet.startFlow('chain')
    await eventually(() => runs.has('held'))
    const loggedBefore = warnings.length

    const end = await state.begin(admin, server)
    const begunMs = performance.now()
    const [errors, inState] = await Promise.all([errorsOf(callsOf(hasty)), enqueueAll(hasty, 'in', delays)])
    const tookMs = performance.now() - begunMs
    await end()

    const refused = [...errors].filter(([, error]) => !isOwnAnswer(error))
    expect(refused.length).toBeGreaterThan(0)
    const unclear = refused.filter(([, error]) => !(error instanceof ArqError && state.says.test(error.message)))
    expect(unclear.map(([call, error]) => `${call}: ${String(error)}`)).toEqual([])
    if (state.reads) for (const call of READS) expect(errors.get(call), call).toBeUndefined()
    expect(tookMs).toBeLessThan(3 * CALL_MS + 2_000)

    const after = await client.enqueue('count', [], { jobId: 'after' })
    await after!.result({ timeoutMs: HEALS_MS })
    expect(strange(await errorsOf(callsOf(client)))).toEqual([])
    fleet.release()
    const acknowledged = [...known, ...inState]
    await eventually(() => acknowledged.every((jobId) => runs.has(jobId)), { timeoutMs: HEALS_MS })
    expect(await client.job('held').result({ timeoutMs: HEALS_MS })).toBe('held')
    await client.flows.get('chain').result({ timeoutMs: HEALS_MS })
    expect([...runs].filter(([, times]) => times > 1)).toEqual([])
    expect(fleet.hasEnded()).toBe(false)
    await fleet.stop()

    // Each run that ended well is counted once.
    const recorded = await client.history.totals({ by: 'function' })
    const counted = recorded.filter(({ key }) => COUNTED.has(key.function!)).map(({ counts }) => counts.complete)
    expect(counted.reduce((sum, each) => sum + each, 0)).toBe(runs.size)
    const lines = warnings.slice(loggedBefore)
    expect(lines.length).toBeLessThanOrEqual(MAX_LINES)
    expect(lines.some(({ msg, err }) => state.says.test(msg) || state.says.test(err?.message ?? ''))).toBe(true)
    expect(stray).toEqual([])
  } finally {
    await fleet.stop()
    await fleet.close()
    admin.disconnect()
    await server.stop()
  }
}

describe('while Redis refuses calls, every call says so, and the worker continues once it takes them:', () => {
  test.concurrent.each(Object.entries(states))('%s', expectState, 60_000)
})
