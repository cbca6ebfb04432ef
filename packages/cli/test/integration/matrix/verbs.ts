import { STATES } from '@arq-ts/test-support/fleet'
import { CALM, HEALTHY } from './fleet.ts'
import { KEYS } from './scene.ts'
import type { Fault } from './scene.ts'

/** A verb that looks at everything. */
export interface Look {
  words: readonly string[]
  /** Names of keys that it reads: a fault in one of them must be named, or the answer would be a false all-clear. */
  reads: readonly string[]
  /** Healthy things that it shows, whatever is wrong elsewhere, unless one of these keys has a fault. */
  shows: readonly string[]
  hiddenBy?: readonly string[]
  /** Has no table for people: it needs a terminal. */
  isJsonOnly?: boolean
}

const QUEUE_KEYS = ['queue', 'stats', 'healthCheck', 'paused', 'dead', 'workers']
const everyState = STATES.flatMap((state) => ['--status', state])

/** Verbs that read and list. */
export const looks = (workerId: string): readonly Look[] => [
  { words: ['queue', 'ls'], reads: QUEUE_KEYS, shows: [CALM] },
  { words: ['queue', 'show', CALM], reads: ['paused', 'dead', 'workers'], shows: [CALM] },
  { words: ['queue', 'history'], reads: [], shows: [] },
  {
    words: ['job', 'ls', '--limit', '1000'],
    reads: ['queue', 'job', 'inProgress', 'retry'],
    shows: [HEALTHY.queued, HEALTHY.deferred, HEALTHY.retrying, HEALTHY.running],
  },
  {
    words: ['job', 'ls', '--limit', '1000', ...everyState],
    reads: ['queue', 'job', 'inProgress', 'retry', 'result', 'dead', 'deadLetter'],
    shows: Object.values(HEALTHY).filter((id) => id !== HEALTHY.dead),
  },
  {
    words: ['job', 'ls', '--queue', CALM, '--text', 'healthy', '--function', 'echo'],
    reads: [],
    shows: [HEALTHY.queued, HEALTHY.deferred],
  },
  { words: ['dead', 'ls'], reads: ['dead', 'deadLetter'], shows: [HEALTHY.dead], hiddenBy: ['dead'] },
  { words: ['dead', 'ls', '--group-by', 'error'], reads: ['dead'], shows: ['bad luck'], hiddenBy: ['dead'] },
  {
    words: ['workers', '--functions'],
    reads: ['workers', 'worker', 'healthCheck'],
    shows: [workerId],
    hiddenBy: ['workers'],
  },
  { words: ['cron', 'ls'], reads: ['workers', 'worker', 'cronPauses'], shows: ['cron:calm'], hiddenBy: ['workers'] },
  { words: ['schedule', 'ls'], reads: ['schedules'], shows: [] },
  { words: ['flow', 'ls'], reads: [], shows: [] },
  { words: ['cron', 'history'], reads: ['cronPauses'], shows: [] },
  { words: ['health', '--queue', CALM], reads: [], shows: ['j_complete='], hiddenBy: ['workers'] },
  { words: ['health', '--deep', '--queue', CALM], reads: ['workers'], shows: [CALM] },
  { words: ['top'], reads: QUEUE_KEYS, shows: [CALM], isJsonOnly: true },
  { words: ['cache', 'ls'], reads: [], shows: [] },
  { words: ['canary', 'ls'], reads: [], shows: [] },
  { words: ['collections', 'ls'], reads: [], shows: [] },
  {
    words: ['doctor'],
    reads: KEYS.map(({ name }) => name),
    shows: [],
  },
]

/** A verb about one thing that has a fault. */
export type Act = (fault: Fault) => readonly string[]

/** Verbs about one job. */
export const jobActs: readonly Act[] = [
  ({ victim }) => ['job', 'show', victim.jobId],
  ({ victim }) => ['job', 'explain', victim.jobId],
  ({ victim }) => ['job', 'watch', victim.jobId, '--timeout', '30ms'],
  ({ victim }) => ['dead', 'show', victim.jobId],
  ({ victim }) => ['job', 'enqueue', 'echo', '1', '--queue', victim.queueName, '--job-id', victim.jobId],
  ({ victim }) => ['job', 'abort', victim.jobId, '--timeout', '30ms'],
]

/** Verbs about one worker. */
export const workerActs: readonly Act[] = [
  ({ victim }) => ['workers', 'quiet', victim.workerId, '--timeout', '30ms'],
  ({ victim }) => ['workers', 'resume', victim.workerId, '--timeout', '30ms'],
]

/** A verb about many jobs at once, a healthy one among them: that one must be done, whatever the others are. */
export interface BulkAct {
  words: (jobIds: readonly string[]) => readonly string[]
  healthy: string
  /** A command of Redis that shows that it was done: its answer changes. */
  shows: readonly [command: string, ...args: string[]]
}

const { queued, deferred, dead, retrying, complete } = HEALTHY

/** In the order in which each still finds its jobs. */
export const bulkActs: readonly BulkAct[] = [
  { words: (ids) => ['job', 'run-now', ...ids], healthy: deferred, shows: ['ZSCORE', CALM, deferred] },
  { words: (ids) => ['job', 'move', ...ids, '--to', 'elsewhere'], healthy: queued, shows: ['ZSCORE', CALM, queued] },
  { words: (ids) => ['job', 'abort', ...ids], healthy: retrying, shows: ['ZSCORE', 'arq:abort', retrying] },
  { words: (ids) => ['job', 'retry', ...ids], healthy: dead, shows: ['ZSCORE', 'arq:dead', dead] },
  { words: (ids) => ['job', 'rm', '--force', ...ids], healthy: complete, shows: ['EXISTS', `arq:result:${complete}`] },
]

/** The same of dead letters. */
export const deadActs: readonly BulkAct[] = [
  { words: (ids) => ['dead', 'retry', '--yes', ...ids], healthy: dead, shows: ['ZSCORE', 'arq:dead', dead] },
  { words: (ids) => ['dead', 'purge', '--yes', ...ids], healthy: dead, shows: ['ZSCORE', 'arq:dead', dead] },
]

/** Verbs that change one job, or nothing that stays. */
export const mildActs: readonly Act[] = [
  ({ victim }) => ['job', 'show', victim.jobId],
  ({ victim }) => ['job', 'explain', victim.jobId],
  ({ victim }) => ['queue', 'pause', victim.queueName],
  ({ victim }) => ['queue', 'resume', victim.queueName],
  ({ victim }) => ['job', 'run-now', victim.jobId],
  ({ victim }) => ['job', 'abort', victim.jobId, '--timeout', '30ms'],
  ({ victim }) => ['job', 'retry', victim.jobId],
  ({ victim }) => ['job', 'rm', victim.jobId, '--force'],
]

/** Verbs of schedules and of the task packages: the keys that they share with all others must not stop them, nor must nothing to do. */
export const packageActs: readonly Act[] = [
  () => ['cache', 'show', 'nosuch'],
  () => ['cache', 'flush', '--all', '--yes', '--timeout', '30ms'],
  () => ['collections', 'keep', 'nosuch'],
  () => ['collections', 'delete-now', 'nosuch', '--yes'],
  () => ['canary', 'show', 'nosuch'],
  ...['pause', 'resume'].map((verb) => () => ['cron', verb, 'cron:calm']),
  () => ['cron', 'pause', 'nosuch'],
  () => ['schedule', 'put', 'fresh', 'echo', '--every', '1h'],
  ...['show', 'pause', 'resume', 'run', 'rm'].map((verb) => () => ['schedule', verb, 'fresh']),
  ...['approve', 'pause', 'resume', 'promote', 'rollback'].map((verb) => () => ['canary', verb, 'nosuch']),
]

const ALONE = 'flows.test.ts next to this file damages the keys of flows, a healthy one among them'

/** Verbs without a case in this matrix, and why. */
export const ELSEWHERE: Readonly<Record<string, string>> = {
  worker:
    'the matrix of packages/core runs a worker through every fault; a worker here would repair what a scene plants',
  'canary start': 'asks Qdrant before it reads a key of the queue',
  'flow show': ALONE,
  'flow cancel': ALONE,
  'flow replay': ALONE,
  'config show': 'reads no Redis',
  'config check': 'reads no Redis',
  'config schema': 'reads no Redis',
}

/** Verbs about a queue, the last of which empties it. */
export const queueActs: readonly Act[] = [
  ({ victim }) => ['queue', 'show', victim.queueName],
  ({ victim }) => ['health', '--deep', '--queue', victim.queueName],
  ({ victim }) => ['doctor', '--queue', victim.queueName],
  ({ victim }) => ['job', 'ls', '--queue', victim.queueName],
  ({ victim }) => ['job', 'show', victim.jobId],
  ({ victim }) => ['job', 'explain', victim.jobId, '--queue', victim.queueName],
  ({ victim }) => ['job', 'enqueue', 'echo', '1', '--queue', victim.queueName],
  ({ victim }) => ['queue', 'pause', victim.queueName, '--force'],
  ({ victim }) => ['queue', 'resume', victim.queueName],
  ({ victim }) => ['job', 'run-now', '--queue', victim.queueName, '--all', '--yes'],
  ({ victim }) => ['job', 'move', '--queue', victim.queueName, '--all', '--yes', '--to', 'elsewhere'],
  ({ victim }) => ['job', 'move', `mover-${victim.jobId}`, '--to', victim.queueName],
  ({ victim }) => ['job', 'abort', '--queue', victim.queueName, '--all', '--yes'],
  ({ victim }) => ['job', 'rm', '--queue', victim.queueName, '--all', '--yes'],
  ({ victim }) => ['queue', 'purge', victim.queueName, '--yes'],
]
