import { idToBytes, Keys } from '@arq-ts/protocol/jobs'
import type { Redis } from 'ioredis'
import { ERROR, payloadOf, resultOf } from './payloads.ts'
import { HOLD_MS } from './plan.ts'
import type { FleetPlan, PlannedHold, PlannedJob } from './shape.ts'

type Command = [name: string, ...args: (string | number | Buffer)[]]

const KEPT_MS = 7 * 86_400_000
const ALIVE_MS = 3_600_000
/** Commands per round trip. */
const PAGE = 2_000
/** Members per `ZADD`. */
const MEMBERS = 500

/** Writes a fleet into a database, under a prefix that nothing has; 200,000 jobs take a few seconds. */
export async function writeFleet(redis: Redis, plan: FleetPlan, keyPrefix = ''): Promise<void> {
  let page: Command[] = []
  for (const command of commandsOf(plan, new Keys(keyPrefix))) {
    page.push(command)
    if (page.length < PAGE) continue
    await send(redis, page)
    page = []
  }
  await send(redis, page)
}

async function send(redis: Redis, page: Command[]): Promise<void> {
  if (page.length === 0) return
  const replies = await redis.pipeline(page).exec()
  for (const [error] of replies ?? []) if (error) throw error
}

function* commandsOf(plan: FleetPlan, keys: Keys): Generator<Command> {
  for (const job of plan.jobs) yield* jobCommands(job, keys)
  yield* placeCommands(plan, keys)
  for (const { queueName, paused, ended, healthLine, isBroken } of plan.queues) {
    if (paused) yield ['sadd', keys.paused, keys.queue(queueName)]
    if (ended) yield ['hset', keys.stats(queueName), ...Object.entries(ended).flat()]
    if (healthLine !== null) yield ['psetex', keys.healthCheck(queueName), ALIVE_MS, healthLine]
    if (isBroken) yield ['hset', keys.queue(queueName), 'a', 'b']
  }
  for (const { workerId, entry } of plan.workers) {
    yield ['zadd', keys.workers, plan.nowMs + ALIVE_MS, workerId]
    if (entry !== null) yield ['psetex', keys.worker(workerId), ALIVE_MS, entry]
  }
  for (const workerId of plan.goneWorkers) {
    yield ['zadd', keys.workers, plan.nowMs - ALIVE_MS, workerId]
    yield ['rpush', keys.waiting('emails'), workerId]
    yield ['psetex', keys.retry(`of-${workerId}`), ALIVE_MS, '2']
  }
  for (const jobId of plan.staleAborts) yield ['zadd', keys.abort, plan.nowMs, jobId]
  for (const { jobId, holder } of plan.staleHolds) yield ['set', keys.inProgress(jobId), holder]
  for (const { key, type } of plan.wrongKeys) yield wrongKey(keys.prefix + key, type)
  for (const { queueName, line } of plan.brokenHealth) yield ['set', keys.healthCheck(queueName), line]
}

/** Members of queues and dead letters, many to a command. */
function* placeCommands({ jobs }: FleetPlan, keys: Keys): Generator<Command> {
  const sets = new Map<string, (string | Buffer)[]>()
  for (const { jobId, queueName, score, state, finishedMs } of jobs) {
    const at = state === 'dead' ? finishedMs : score
    if (at === null) continue
    const key = state === 'dead' ? keys.dead : keys.queue(queueName)
    const members = sets.get(key) ?? []
    members.push(String(at).replace('Infinity', 'inf'), bytesOf(jobId))
    sets.set(key, members)
    if (members.length < 2 * MEMBERS) continue
    yield ['zadd', key, ...members]
    sets.delete(key)
  }
  for (const [key, members] of sets) yield ['zadd', key, ...members]
}

function* jobCommands(job: PlannedJob, keys: Keys): Generator<Command> {
  const { damage, hold, holder, jobId, state, tries } = job
  if (state === 'dead') {
    yield* letterCommands(job, keys)
  } else if (state === 'complete' || state === 'failed' || state === 'aborted') {
    const key = bytesOf(keys.result(jobId))
    yield damage === 'result of another type' ? wrongKey(key, 'list') : ['psetex', key, KEPT_MS, resultOf(job)]
  } else {
    const payload = payloadOf(job)
    const key = bytesOf(keys.job(jobId))
    if (hold) yield ['hset', keys.held, bytesOf(jobId), holdText(hold)]
    if (damage === 'payload of another type') yield wrongKey(key, 'list')
    else if (payload !== null) yield ['psetex', key, KEPT_MS, payload]
    if (damage === 'holder of another type') yield wrongKey(bytesOf(keys.inProgress(jobId)), 'hash')
    else if (damage === 'dead holder') yield ['set', bytesOf(keys.inProgress(jobId)), holder!]
    else if (holder !== null) yield ['psetex', bytesOf(keys.inProgress(jobId)), ALIVE_MS, holder]
    if (damage === 'counter of another type') yield wrongKey(bytesOf(keys.retry(jobId)), 'hash')
    else if (damage === 'counter that is no number') yield ['set', bytesOf(keys.retry(jobId)), 'twice']
    else if (tries > 0) yield ['psetex', bytesOf(keys.retry(jobId)), KEPT_MS, String(tries)]
  }
}

/** The note that limits and flows write of a hold: its score, its time, its place among those that wait, and its reason. */
function holdText({ about, by, sinceMs }: PlannedHold): string {
  const reason = { limit: `limit ${about}`, unique: `limit @unique:${about}`, flow: `flow ${about} m2` }[by]
  return `${sinceMs + HOLD_MS} ${sinceMs} ${sinceMs} ${reason}`
}

function* letterCommands(job: PlannedJob, keys: Keys): Generator<Command> {
  const { call, damage, finishedMs, jobId, queueName, tries } = job
  const key = bytesOf(keys.deadLetter(jobId))
  if (damage === 'letter without entry') return
  if (damage === 'letter of another type') return yield wrongKey(key, 'string')
  const about = ['queue', queueName, 'function', call.functionName, 'error', ERROR, 'try', tries] as const
  yield ['hset', key, 'payload', payloadOf(job)!, ...about, 'failedAt', finishedMs!]
  yield ['pexpire', key, KEPT_MS]
}

function wrongKey(key: string | Buffer, type: 'hash' | 'list' | 'string'): Command {
  if (type === 'hash') return ['hset', key, 'a', 'b']
  return type === 'list' ? ['rpush', key, 'a'] : ['set', key, 'a']
}

/** An id, or a key with one, as the bytes it stands for. */
function bytesOf(id: string): Buffer {
  return Buffer.from(idToBytes(id))
}
