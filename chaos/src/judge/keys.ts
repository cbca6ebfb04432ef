/** Judges why a key may stand in Redis after the fleet has drained and stopped. */

/** Facts about one key. */
export interface KeyFacts {
  name: string
  type: string
  /** In ms; -1 for ever. */
  ttlMs: number
  /** Value of an in-progress key. */
  holder?: string
  /** Members of a set or sorted set, with their scores (0 in a set). */
  members?: ReadonlyMap<string, number>
}

export interface KeyContext {
  queues: readonly string[]
  /** Ids that are members of some queue. */
  queued: ReadonlySet<string>
  /** Ids whose abort somebody asked for. */
  aborted: ReadonlySet<string>
  /** Members of the set of dead letters. */
  dead: ReadonlySet<string>
  /** Ids of jobs that a failover met: the new primary may not have had the last writes. */
  failedOver: ReadonlySet<string>
  /** Redis's time, in unix ms. */
  nowMs: number
}

/** Verdict on a key: the reason why it stands there, or what is wrong with it. */
export type KeyVerdict = { ok: true; reason: string } | { ok: false; fault: string }

/** arq keeps a cron job's in-progress key for a minute, and its try counter for a day. */
const CRON_KEEP_MS = 60_000
/** Time that the key of an ended job stays where aborts are asked for, so that arq does not start it again. */
const FENCE_MS = 60_000
/** The rest of a lease that its worker could not give back, at most. */
const LAPSING_MS = 2_000

const ok = (reason: string): KeyVerdict => ({ ok: true, reason })
const wrong = (fault: string): KeyVerdict => ({ ok: false, fault })

/** Classifies one key. A key that no rule knows has no reason to be there. */
export function classifyKey(key: KeyFacts, context: KeyContext): KeyVerdict {
  const { name, ttlMs } = key
  for (const queue of context.queues) {
    if (name === queue) return ok('queue')
    if (name === `${queue}:health-check`) return ttlMs >= 0 ? ok('health') : wrong('health line without expiry')
    if (name === `${queue}:reserved`) return reservations(key, context)
  }
  for (const [prefix, rule] of RULES) {
    if (name.startsWith(prefix)) return rule(key, name.slice(prefix.length), context)
  }
  return wrong('unknown key')
}

type Rule = (key: KeyFacts, id: string, context: KeyContext) => KeyVerdict

const RULES: readonly (readonly [string, Rule])[] = [
  [
    'arq:job:',
    (_, id, { queued }) => (queued.has(id) ? ok('payload of a queued job') : wrong('payload without a job')),
  ],
  ['arq:in-progress:', inProgress],
  ['arq:retry:', tries],
  [
    'arq:orphans:',
    (key) => (key.ttlMs >= 0 ? ok('search for jobs of dead workers') : wrong('search for orphans without expiry')),
  ],
  ['arq:waiting:', (key) => (key.ttlMs >= 0 ? ok('workers that wait') : wrong('waiting workers without expiry'))],
  ['arq:error:', (key) => (key.ttlMs >= 0 ? ok('error of the last try') : wrong('error without expiry'))],
  ['arq:result:', (key) => (key.ttlMs >= 0 ? ok('kept result') : wrong('result without expiry'))],
  ['arq:dead:', (key, id, { dead }) => letter(key, id, dead)],
  ['arq:dead', () => ok('index of dead letters')],
  ['arq:abort', abortMarks],
  ['arq:stats:', () => ok('counters of a queue')],
  ['arq:worker:', (key) => (key.ttlMs >= 0 ? ok('entry of a worker that died') : wrong('entry without expiry'))],
  ['arq:workers', () => ok('registry of workers')],
  ['arq:cron:', () => ok('last tick of a cron job')],
  ['arq:obs:', () => ok('observations')],
]

function inProgress({ ttlMs, holder }: KeyFacts, id: string, { queued }: KeyContext): KeyVerdict {
  if (ttlMs < 0) return wrong('in-progress key without expiry')
  if (queued.has(id)) return ok('claim on a queued job')
  if (id.startsWith('cron:') && ttlMs <= CRON_KEEP_MS) return ok('minute after a tick')
  if (holder === 'ended' && ttlMs <= FENCE_MS) return ok('minute after an end')
  if (ttlMs <= LAPSING_MS) return ok('rest of a lease')
  return wrong('in-progress key without a job')
}

function tries({ ttlMs }: KeyFacts, id: string, { queued, failedOver }: KeyContext): KeyVerdict {
  if (queued.has(id)) return ok('tries of a queued job')
  if (failedOver.has(id) && ttlMs >= 0) return ok('tries of a job that a failover met')
  return wrong('tries without a job')
}

function letter({ ttlMs }: KeyFacts, id: string, dead: ReadonlySet<string>): KeyVerdict {
  if (ttlMs < 0) return wrong('dead letter without expiry')
  return dead.has(id) ? ok('dead letter') : wrong('dead letter that the index does not name')
}

/** arq never removes the mark of an abort that came too late; a mark that nobody asked for has no reason. */
function abortMarks({ members = new Map() }: KeyFacts, _: string, { aborted }: KeyContext): KeyVerdict {
  const foreign = [...members.keys()].filter((id) => !aborted.has(id))
  return foreign.length === 0 ? ok('abort requests') : wrong(`abort requests of ${foreign.slice(0, 3).join(', ')}`)
}

/** Reservations lapse within seconds; those that still hold would keep jobs from being seen. */
function reservations({ members = new Map() }: KeyFacts, { nowMs }: KeyContext): KeyVerdict {
  const held = [...members.values()].filter((untilMs) => untilMs > nowMs + 30_000).length
  return held === 0 ? ok('lapsed reservations') : wrong(`${held} reservations that do not lapse`)
}
