import { healthLine, idFromBytes } from '@arq-ts/protocol/jobs'
import { Random } from './random.ts'
import type {
  FleetPlan,
  JobDamage,
  PlannedCall,
  PlannedHold,
  PlannedJob,
  PlannedQueue,
  PlannedWorker,
  Served,
  State,
} from './shape.ts'

/** Options of a fleet. */
export interface FleetOptions {
  /** The same seed makes the same fleet. */
  seed: number
  /** The number of jobs, those that have ended included. */
  jobs: number
  /** Redis's time, in unix ms. */
  nowMs: number
  /** False for a fleet with nothing wrong. Default true. */
  damaged?: boolean
}

/** Functions that arq-ts workers of a fleet have. */
export const FUNCTIONS = ['resize_image', 'send_mail', 'nightly_report'] as const
/** Addresses in the arguments of `send_mail`, to search for. */
export const ADDRESSES = ['ann@example.org', 'bob@example.org', 'Zoë@example.org'] as const
/** No job was enqueued, or ended, between these ages in ms: a bound in between is never close. */
export const NO_AGES = { from: 1_800_000, to: 7_200_000 } as const

const LEASE_MS = 600_000
const DAY_MS = 86_400_000
/** Difference between the clock of some machines and Redis's. */
const SKEW_MS = 3_600_000
/** The number of jobs that each worker runs, at most. */
const RUNNING = 4

const QUEUES: readonly [queueName: string, served: Served, paused?: boolean][] = [
  ['emails', 'arq-ts'],
  ['thumbnails', 'arq-ts'],
  ['frozen', 'arq-ts', true],
  ['locked', 'arq-ts'],
  ['gated', 'arq-ts'],
  ['arq:queue', 'python'],
  ['reports', 'python'],
  ['imports', 'nobody'],
  ['orders:eu:reserved', 'nobody'],
  ['Übersicht', 'nobody'],
  // Names that are easily lost: on a screen, in an address, and in a table of names.
  ['   ', 'nobody'],
  ['..', 'nobody'],
  ['constructor', 'python'],
  ['a "quoted" \\x41', 'nobody'],
]

/** Queues without jobs of their own: one whose key is broken in a damaged fleet, one that has held jobs alone, one whose worker has nothing to do. */
const EMPTY: readonly string[] = ['locked', 'gated', 'idle']

/** Length of a hold: a job that waits for no time is due in ten years. */
export const HOLD_MS = 315_360_000_000
/** Capabilities that hold jobs. Keys of limits and of unique jobs, and ids of flows, may have spaces. */
const HOLDS: readonly Pick<PlannedHold, 'by' | 'about'>[] = [
  { by: 'limit', about: 'geocoder' },
  { by: 'limit', about: 'geocoder:Zoë & co' },
  { by: 'flow', about: 'monthly report' },
  { by: 'unique', about: 'report:a b' },
]

/** Weights of the states of jobs; running ones are planned by their holders. */
const STATE_WEIGHTS: readonly [State, number][] = [
  ['queued', 40],
  ['deferred', 20],
  ['retrying', 10],
  ['complete', 14],
  ['failed', 6],
  ['aborted', 2],
  ['dead', 3],
]

/** Each kind of damage, and the state that a job with it is in. */
const DAMAGES: Readonly<Record<JobDamage, State>> = {
  'no payload': 'queued',
  'undecodable payload': 'queued',
  'payload of another type': 'queued',
  'holder of another type': 'running',
  'counter of another type': 'queued',
  'counter that is no number': 'queued',
  'id that is not UTF-8': 'queued',
  'score +inf': 'deferred',
  'score -inf': 'queued',
  'score beyond any date': 'deferred',
  'dead holder': 'running',
  'undecodable result': 'complete',
  'result of another type': 'complete',
  'letter of another type': 'dead',
  'letter without entry': 'dead',
}

/** Plans a fleet: pure, so that what is written is known exactly. */
export function planFleet({ seed, jobs: size, nowMs, damaged = true }: FleetOptions): FleetPlan {
  const random = new Random(seed)
  const workers = planWorkers(random, nowMs)
  const queues = planQueues(random, nowMs)
  const makeJob = jobMaker(random, nowMs)
  const jobs: PlannedJob[] = []
  for (const worker of workers) {
    for (let i = random.integer(1, RUNNING); i > 0; i--) {
      jobs.push(
        heldBy(`${worker.workerId}/${random.hex(8)}`, makeJob('running', random.pick(used(worker.queueNames))), nowMs),
      )
    }
  }
  for (const queueName of used(queues.filter(({ served }) => served === 'python').map((each) => each.queueName))) {
    for (let i = random.integer(1, RUNNING); i > 0; i--) jobs.push({ ...makeJob('running', queueName), holder: '1' })
  }
  for (const hold of HOLDS)
    for (const queueName of ['emails', 'gated']) jobs.push(held(makeJob('deferred', queueName), hold, nowMs, false))
  jobs.push(held(makeJob('deferred', 'emails'), HOLDS[0]!, nowMs, true))
  if (damaged) {
    for (const damage of Object.keys(DAMAGES) as JobDamage[]) {
      for (let i = random.integer(1, 3); i > 0; i--) {
        jobs.push(damage === 'dead holder' ? deserted(makeJob, random, nowMs) : damageJob(makeJob, random, damage))
      }
    }
  }
  const names = used(queues.map(({ queueName }) => queueName))
  while (jobs.length < size) jobs.push(makeJob(stateOf(random), random.pick(names)))
  const plan = {
    nowMs,
    queues,
    jobs,
    staleAborts: [],
    staleHolds: [],
    goneWorkers: [],
    wrongKeys: [],
    brokenHealth: [],
  }
  if (!damaged) return { ...plan, workers: workers.map((worker) => withRunning(worker, jobs, nowMs)) }
  return {
    ...plan,
    queues: [...queues.map(withBreak), noQueue('noisy')],
    workers: [...workers.map((worker) => withRunning(worker, jobs, nowMs)), ...brokenWorkers(random)],
    staleAborts: [random.hex(32), 'nobody:here'],
    staleHolds: [
      { jobId: random.hex(32), holder: '1' },
      { jobId: 'left:behind', holder: `gone:1:${random.hex(8)}/1` },
    ],
    goneWorkers: [`gone:1:${random.hex(8)}`, `gone:2:${random.hex(8)}`],
    wrongKeys: [{ key: 'arq:stats:emails', type: 'string' }],
    brokenHealth: [{ queueName: 'noisy', line: 'all is well' }],
  }
}

function used(queueNames: readonly string[]): string[] {
  return queueNames.filter((name) => !EMPTY.includes(name))
}

function withBreak(queue: PlannedQueue): PlannedQueue {
  return { ...queue, isBroken: queue.queueName === 'locked' }
}

function stateOf(random: Random): State {
  let left = random.next() * STATE_WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0)
  return STATE_WEIGHTS.find(([, weight]) => (left -= weight) < 0)![0]
}

function planWorkers(random: Random, nowMs: number): PlannedWorker[] {
  return [['emails'], ['thumbnails', 'frozen', 'locked', 'gated'], ['emails', 'thumbnails']].map((queueNames) => {
    const workerId = `host-${random.integer(1, 9)}:${random.integer(100, 30_000)}:${random.hex(8)}`
    return { workerId, queueNames, functions: FUNCTIONS, entry: String(nowMs), isBroken: false }
  })
}

/** Fills the registry entry, now that it is known what the worker runs. */
function withRunning(worker: PlannedWorker, jobs: readonly PlannedJob[], nowMs: number): PlannedWorker {
  const { workerId, queueNames, functions } = worker
  const own = jobs.filter(({ holder }) => holder?.startsWith(`${workerId}/`))
  const running = own.map(({ jobId, call, queueName, tries, startedMs }) => {
    return { jobId, functionName: call.functionName, queueName, jobTry: tries, startedAtMs: startedMs }
  })
  const [host = '', pid] = workerId.split(':')
  const entry = {
    id: workerId,
    name: host,
    host,
    pid: Number(pid),
    version: '0.1.0',
    startedAtMs: nowMs - 3_600_000,
    queues: queueNames,
    functions,
    maxJobs: 10,
    leaseMs: LEASE_MS,
    state: 'running',
    healthLine: null,
    cron: [],
    rssBytes: 90_000_000,
    running,
    counters: { complete: 70, failed: 3, retried: 2, ongoing: running.length },
  }
  return { ...worker, entry: JSON.stringify(entry) }
}

function brokenWorkers(random: Random): PlannedWorker[] {
  const broken = (name: string, entry: string | null): PlannedWorker => {
    return { workerId: `${name}:1:${random.hex(8)}`, queueNames: [], functions: [], entry, isBroken: true }
  }
  return [broken('torn', '{"id":"to'), broken('wrong', '{"id":7}'), broken('list', '[]'), broken('vanished', null)]
}

function noQueue(queueName: string): PlannedQueue {
  return { queueName, served: 'nobody', paused: false, ended: null, healthLine: null, isBroken: false }
}

function planQueues(random: Random, nowMs: number): PlannedQueue[] {
  const line = () => {
    const [complete, failed, retried] = [random.integer(10, 9_999), random.integer(0, 99), random.integer(0, 99)]
    return healthLine(new Date(nowMs + random.pick([0, SKEW_MS, -SKEW_MS])), {
      complete,
      failed,
      retried,
      ongoing: 2,
      queued: 40,
    })
  }
  const queues = QUEUES.map(([queueName, served, paused = false]): PlannedQueue => {
    // The counters of `emails` are a wrong key in a damaged fleet.
    const ended = served === 'arq-ts' && !['emails', 'locked', 'gated'].includes(queueName)
    return {
      ...noQueue(queueName),
      served,
      paused,
      ended: ended
        ? { complete: random.integer(1, 999), failed: random.integer(0, 99), aborted: random.integer(0, 9) }
        : null,
      healthLine: served === 'python' ? line() : null,
    }
  })
  // A Python worker that has nothing to do.
  return [...queues, { ...noQueue('idle'), served: 'python', healthLine: line() }]
}

type JobMaker = (state: State, queueName: string) => PlannedJob

function jobMaker(random: Random, nowMs: number): JobMaker {
  let number = 0x1_00_00
  const age = () =>
    random.next() < 0.5 ? random.integer(60_000, NO_AGES.from) : random.integer(NO_AGES.to, 6 * DAY_MS)
  const idOf = () => {
    if (random.next() < 0.9) return random.hex(32)
    const blank = ' '.repeat(number & 7)
    const odd = [`a job ${number}`, `größe-${number}`, `x${number}:health-check`, ` ${number}${blank}`]
    return random.pick([`cron:nightly:${number}`, ...odd])
  }
  const callOf = (): PlannedCall => {
    const functionName = random.pick(FUNCTIONS)
    if (functionName === 'resize_image') return { functionName, args: ['a.png', number], kwargs: { width: 640 } }
    if (functionName === 'send_mail') return { functionName, args: [random.pick(ADDRESSES)], kwargs: {} }
    return { functionName, args: [], kwargs: { day: 'mon' } }
  }
  return (state, queueName) => {
    number++
    const language = random.pick(['python', 'arq-ts'] as const)
    const isEnded = state === 'complete' || state === 'failed' || state === 'aborted' || state === 'dead'
    const hasTries = isEnded || state === 'running' || state === 'retrying'
    const at = nowMs - age() - (isEnded ? DAY_MS : 0)
    const finishedMs = isEnded ? nowMs - age() : null
    const isLater = state === 'deferred' || (state === 'retrying' && random.next() < 0.5)
    const enqueuedMs = at + skewOf(random, nowMs - at, isLater)
    const score = isLater ? nowMs + random.integer(LEASE_MS + 60_000, 7 * DAY_MS) : enqueuedMs
    return {
      jobId: idOf(),
      queueName,
      language,
      call: callOf(),
      enqueuedMs,
      state,
      holder: null,
      hold: null,
      damage: null,
      codec: language === 'python' ? 'pickle' : random.pick(['msgpack', 'msgpack', 'json', 'pickle'] as const),
      score: isEnded ? null : score,
      tries: hasTries ? random.integer(1, 4) : 0,
      startedMs: finishedMs === null ? nowMs - 30_000 : finishedMs - 1_000,
      finishedMs,
    }
  }
}

/**
 * Time by which the clock of a producer is ahead. One that is an hour ahead makes every job a deferred one, enqueued in the future;
 * one that is behind makes an old job older.
 */
function skewOf(random: Random, ageMs: number, isLater: boolean): number {
  if (random.next() < 0.8) return 0
  if (ageMs > NO_AGES.to) return -SKEW_MS
  return isLater ? SKEW_MS : 0
}

/** A hold moves the score ten years ahead, and keeps it as its mark. One that is over has left its note behind. */
function held(job: PlannedJob, of: (typeof HOLDS)[number], nowMs: number, isOver: boolean): PlannedJob {
  const hold = { ...of, sinceMs: nowMs - 90_000, isOver }
  return { ...job, hold, ...(isOver ? {} : { score: hold.sinceMs + HOLD_MS }) }
}

/** A claim of arq-ts moves the score to the end of the lease; its fraction is the mark of a lease. */
function heldBy(holder: string, job: PlannedJob, nowMs: number): PlannedJob {
  return { ...job, holder, score: nowMs + LEASE_MS / 2 + 1 / 128 }
}

/** A job whose worker died: its lease is over, the key that holds it stays. */
function deserted(makeJob: JobMaker, random: Random, nowMs: number): PlannedJob {
  const job = makeJob('running', random.pick(['emails', 'imports']))
  return { ...job, holder: `gone:1:${random.hex(8)}/1`, score: nowMs - 45_000, damage: 'dead holder' }
}

function damageJob(makeJob: JobMaker, random: Random, damage: JobDamage): PlannedJob {
  const job = makeJob(DAMAGES[damage], random.pick(used(QUEUES.map(([queueName]) => queueName))))
  const changes: Partial<Record<JobDamage, Partial<PlannedJob>>> = {
    'id that is not UTF-8': { jobId: idFromBytes(Buffer.from(`ff${random.hex(6)}fe`, 'hex')) },
    'score +inf': { score: Infinity },
    'score -inf': { score: -Infinity },
    'score beyond any date': { score: 1e17 },
    'holder of another type': { holder: '<hash>' },
  }
  return { ...job, ...changes[damage], damage }
}
