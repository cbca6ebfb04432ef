import { encodeJob, encodeResult, Keys } from '@arq-ts/protocol/jobs'
import type { Database } from '@arq-ts/test-support'
import { keyTable } from '../../../../core/test/support/faulty-keys.ts'
import type { Plant, Victim } from '../../../../core/test/support/faulty-keys.ts'
import { CALM, HEALTHY } from './fleet.ts'
import type { CalmFleet } from './fleet.ts'

/** Subject of a key, by which the key is named; `all` for a key that belongs to no single one. */
export type Scope = 'all' | 'queue' | 'job' | 'worker' | 'cron'
type KeyOf = (keys: Keys, victim: Victim) => string

/** Finds out what a key is about by changing one name at a time. */
function scopeOf(keyOf: KeyOf): Scope {
  const victim: Victim = { queueName: 'a', jobId: 'a', cronName: 'a', workerId: 'a' }
  const key = keyOf(new Keys(), victim)
  const isNamedBy = (field: keyof Victim) => keyOf(new Keys(), { ...victim, [field]: 'b' }) !== key
  if (isNamedBy('jobId')) return 'job'
  if (isNamedBy('queueName')) return 'queue'
  if (isNamedBy('workerId')) return 'worker'
  return isNamedBy('cronName') ? 'cron' : 'all'
}

/** Every key there is, from the table that does not compile without one of them. */
export const KEYS = Object.entries(keyTable).flatMap(([name, keyOf]) =>
  keyOf ? [{ name, keyOf, scope: scopeOf(keyOf) }] : [],
)

/** One key with a fault in it. */
export interface Fault {
  name: string
  scope: Scope
  key: string
  victim: Victim
  /** The state that the job was in before: a fault meets a queued job, and one that has ended. */
  state: 'queued' | 'ended'
}

const payload = encodeJob({ jobTry: null, functionName: 'echo', args: [1], kwargs: {}, enqueueTimeMs: 1 }, 'pickle')

/** Names whose keys all have a fault: a queue, a job, a worker and a cron job for each. */
export function faultsApart(): Fault[] {
  return KEYS.filter(({ scope }) => scope !== 'all').flatMap((each) =>
    (each.scope === 'job' ? (['queued', 'ended'] as const) : (['queued'] as const)).map((state) => fault(each, state)),
  )
}

/** The keys that belong to nothing: each has a scene of its own, for one fault of them hides another. */
export function faultsOfAll(): Fault[] {
  return KEYS.filter(({ scope }) => scope === 'all').map((each) => fault(each, 'queued'))
}

function fault({ name, keyOf, scope }: (typeof KEYS)[number], state: Fault['state']): Fault {
  const victim: Victim = {
    queueName: scope === 'queue' ? `queue-${name}` : CALM,
    jobId: `victim-${name}-${state}`,
    cronName: `cron:${name}`,
    workerId: `worker-${name}`,
  }
  return { name, scope, state, victim, key: keyOf(new Keys(), victim) }
}

/** Puts the healthy fleet into a database, what the faults are about, and the faults. */
export async function stage(fleet: CalmFleet, database: Database, faults: readonly Fault[], plant: Plant) {
  await fleet.restore(database)
  for (const each of faults) await add(database, each)
  for (const { key, victim } of faults) await plant(database.redis, key, victim)
}

async function add({ redis }: Database, { scope, state, victim }: Fault): Promise<void> {
  const { queueName, jobId, workerId } = victim
  if (scope === 'worker') await redis.zadd('arq:workers', Date.now() + 3_600_000, workerId)
  if (state === 'queued') {
    await redis.set(`arq:job:${jobId}`, payload)
    await redis.zadd(queueName, Date.now() - 1_000, jobId)
    // A job of another queue, for verbs that bring it to this one.
    await redis.set(`arq:job:mover-${jobId}`, payload)
    await redis.zadd('movers', Date.now() + 3_600_000, `mover-${jobId}`)
    return
  }
  const now = Date.now()
  const call = { functionName: 'echo', args: [1], kwargs: {}, enqueueTimeMs: 1, jobTry: 1, score: 1, queueName }
  const record = { ...call, success: false, result: new Error('x'), startTimeMs: now, finishTimeMs: now, jobId }
  await redis.set(`arq:result:${jobId}`, encodeResult(record, 'pickle'))
  await redis.zadd('arq:dead', now, jobId)
  const letter = { payload, queue: queueName, function: 'echo', error: 'Error: x', try: 1, failedAt: now }
  await redis.hset(`arq:dead:${jobId}`, letter)
}

/** Keys of the healthy jobs that do not change: no act on other jobs may touch them. */
export async function healthyState(
  { redis }: Database,
  except: readonly string[] = [],
): Promise<Record<string, string>> {
  const state: Record<string, string> = {}
  for (const jobId of Object.values(HEALTHY)) {
    if (except.includes(jobId)) continue
    for (const kind of ['job', 'in-progress', 'retry', 'result', 'dead']) {
      const value = await redis.dumpBuffer(`arq:${kind}:${jobId}`)
      state[`${kind} of ${jobId}`] = value?.toString('base64') ?? 'none'
    }
    state[`place of ${jobId}`] = (await redis.zscore(CALM, jobId)) ?? 'none'
  }
  return state
}
