import type { Keys } from '@arq-ts/protocol/jobs'
import type { ChainableCommander, Redis } from 'ioredis'
import { fingerprintOf } from '../../src/recorder/fingerprint.ts'
import { seriesId } from '../../src/recorder/series-name.ts'
import { placeOf, RESOLUTIONS } from '../../src/recorder/slots.ts'

/** Place of a fault: one job of a queue, and its neighbors. */
export interface Victim {
  queueName: string
  jobId: string
  cronName: string
  workerId: string
}

/** The series of the handler that all operations share, and the block of the finest slots that is written now. */
const echoOf = (queue: string) => seriesId({ queue, function: 'echo', language: 'typescript' })
const blockNow = () => placeOf(RESOLUTIONS[0], Date.now()).block

type KeyOf = (keys: Keys, victim: Victim) => string

/**
 * The key behind each member of `Keys`; null for those that are no key, such as the name of a channel. A member that is
 * missing here does not compile, so a new key is in every test that goes over this table.
 */
export const keyTable: Readonly<Record<keyof Keys, KeyOf | null>> = {
  prefix: null,
  wakeChannel: null,
  handOffChannel: null,
  resultChannel: null,
  endsChannel: null,
  eventListeners: null,
  abortChannel: null,
  orderChannel: null,
  scheduleChannel: null,
  events: null,
  abort: (keys) => keys.abort,
  dead: (keys) => keys.dead,
  workers: (keys) => keys.workers,
  paused: (keys) => keys.paused,
  queue: (keys, { queueName }) => keys.queue(queueName),
  reserved: (keys, { queueName }) => keys.reserved(queueName),
  waiting: (keys, { queueName }) => keys.waiting(queueName),
  orphans: (keys, { queueName }) => keys.orphans(queueName),
  stats: (keys, { queueName }) => keys.stats(queueName),
  healthCheck: (keys, { queueName }) => keys.healthCheck(queueName),
  job: (keys, { jobId }) => keys.job(jobId),
  inProgress: (keys, { jobId }) => keys.inProgress(jobId),
  retry: (keys, { jobId }) => keys.retry(jobId),
  result: (keys, { jobId }) => keys.result(jobId),
  trace: (keys, { jobId }) => keys.trace(jobId),
  deadLetter: (keys, { jobId }) => keys.deadLetter(jobId),
  lastError: (keys, { jobId }) => keys.lastError(jobId),
  lastTick: (keys, { cronName }) => keys.lastTick(cronName),
  tickRecord: (keys, { cronName }) => keys.tickRecord(cronName),
  worker: (keys, { workerId }) => keys.worker(workerId),
  workerOrder: (keys, { workerId }) => keys.workerOrder(workerId),
  unique: (keys) => keys.unique('echo'),
  limits: (keys) => keys.limits,
  limitWatch: (keys) => keys.limitWatch,
  cronPauses: (keys) => keys.cronPauses,
  held: (keys) => keys.held,
  flowsChannel: null,
  flowChannel: null,
  flows: (keys) => keys.flows,
  flowWatch: (keys) => keys.flowWatch,
  flowConductor: (keys) => keys.flowConductor,
  // Named by a flow: flow-conductor.test.ts damages each of them next to a healthy flow.
  flow: null,
  flowOpen: null,
  flowOut: null,
  flowTodo: null,
  flowCalls: null,
  flowResults: null,
  schedules: (keys) => keys.schedules,
  schedule: (keys, { cronName }) => keys.schedule(cronName),
  limitRunning: (keys) => keys.limitRunning('echo'),
  limitOffered: (keys) => keys.limitOffered('echo'),
  limitWaiting: (keys) => keys.limitWaiting('echo'),
  limitState: (keys) => keys.limitState('echo'),
  obsSeries: (keys) => keys.obsSeries,
  obsNumbers: (keys, { queueName }) => keys.obsNumbers('1m', echoOf(queueName), blockNow()),
  obsDepth: (keys, { queueName }) => keys.obsDepth('1m', queueName, blockNow()),
  healthLine: (keys, { queueName }) => keys.healthLine(`${queueName}:health-check`),
  obsQueues: (keys) => keys.obsQueues,
  obsNoted: (keys) => keys.obsNoted,
  // Written where a cron job ends; the operations of the matrix enqueue tasks.
  obsTicks: (keys) => keys.obsTicks('echo'),
  obsTicked: (keys) => keys.obsTicked,
  obsEvents: (keys) => keys.obsEvents,
  obsRecent: (keys) => keys.obsRecent,
  obsAudit: (keys) => keys.obsAudit,
  obsErrors: (keys) => keys.obsErrors,
  obsTried: (keys) => keys.obsTried,
  obsError: (keys) => keys.obsError(fingerprintOf('Error', 'the handler failed')),
  obsTries: (keys, { jobId }) => keys.obsTries(jobId),
  obsFunction: (keys) => keys.obsFunction('echo'),
  // Written by the dashboard alone; no operation of core reads or writes them.
  obsPlan: null,
  obsTrash: null,
  obsLog: (keys, { jobId }) => keys.obsLog(jobId),
  obsLogged: (keys) => keys.obsLogged,
  logChannel: null,
  obsCollector: (keys) => keys.obsCollector,
  // Named by the second in which a job of Python ended.
  obsSeen: null,
  obsFlush: (keys, { workerId }) => keys.obsFlush(workerId),
}

/** Puts a value at a key, in place of what is there. */
export type Plant = (redis: Redis, key: string, victim: Victim) => Promise<unknown>

const bytes = Buffer.from([0xff, 0xfe, 0x61, 0xe2])

/** In one transaction: what a worker writes meanwhile must not come between. */
const replaced =
  (write: (chain: ChainableCommander, key: string) => ChainableCommander): Plant =>
  (redis, key) =>
    write(redis.multi().del(key), key).exec()

/** Every type Redis has, and values that are of the right type and yet wrong. */
export const faultyValues: Readonly<Record<string, Plant>> = {
  'a string': replaced((chain, key) => chain.set(key, 'x')),
  'an empty string': replaced((chain, key) => chain.set(key, '')),
  'bytes that are not UTF-8': replaced((chain, key) => chain.set(key, bytes)),
  'a number past all bounds': replaced((chain, key) => chain.set(key, '9223372036854775807')),
  'a hash': replaced((chain, key) => chain.hset(key, 'complete', 'x', 'payload', 'x', 'try', 'x')),
  'a list': replaced((chain, key) => chain.rpush(key, 'x')),
  'a set': replaced((chain, key) => chain.sadd(key, 'x')),
  'a stream': replaced((chain, key) => chain.xadd(key, '*', 'a', 'b')),
  'a sorted set': replaced((chain, key) => chain.zadd(key, 1, 'x')),
  // Added to what is there where that is a sorted set: the others of a queue must not go with the fault.
  'a score of -inf': added((redis, key, { jobId }) => redis.zadd(key, '-inf', jobId)),
  'a score of inf': added((redis, key, { jobId }) => redis.zadd(key, '+inf', jobId)),
  'a huge score': added((redis, key, { jobId }) => redis.zadd(key, '-1e300', jobId)),
  'members that are not UTF-8': added((redis, key) =>
    redis.zadd(key, 1, bytes, Date.now(), Buffer.concat([bytes, bytes])),
  ),
}

function added(write: Plant): Plant {
  return async (redis, key, victim) => {
    if ((await redis.type(key)) !== 'zset') await redis.del(key)
    // Where a worker has written something else meanwhile, that is the fault.
    await write(redis, key, victim).catch(() => {})
  }
}
