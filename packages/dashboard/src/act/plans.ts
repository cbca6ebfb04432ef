import { checkOptions } from '@arq-ts/core'
import type { Finding, JobState, PagedJob, SeenJob } from '@arq-ts/core'
import { z } from 'zod'
import type { JobRow, Plan, PlanOutcome, PlanRequest } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import { lettersOf } from '../read/errors.ts'
import { fitting } from '../read/jobs.ts'
import { mustSeeAll } from '../read/must-see.ts'
import { parseQuery } from '../read/query.ts'
import { jobRow } from '../read/show.ts'
import type { Context } from '../routes.ts'
import type { Sight } from '../users/sight.ts'
import { audited } from './audit.ts'
import { actOn } from './on-jobs.ts'
import type { BulkAction } from './on-jobs.ts'
import { LIMIT_BYTES, newToken, offerUndo, TOKEN_MS, tokenIn } from './undo.ts'
import type { UndoStep } from './undo.ts'

/** Jobs of one plan, and jobs that are looked at for it, at most. */
const MAX_JOBS = 50_000
const MAX_SCANNED = 1_000_000
const PAGE = 5_000
const EXAMPLES = 3

const schema = z.strictObject({
  action: z.enum(['retry', 'abort', 'remove', 'run-now', 'move', 'repair']),
  q: z.string().max(2_000).optional(),
  jobIds: z.array(z.string().min(1)).max(MAX_JOBS).optional(),
  fingerprint: z.string().optional(),
  check: z.string().optional(),
  queueName: z.string().min(1).nullable().optional(),
  toQueue: z.string().min(1).max(1_000).optional(),
  spreadMs: z.number().min(0).max(86_400_000).optional(),
})

const VERBS: Record<PlanRequest['action'], string> = {
  retry: 'Retry',
  abort: 'Abort',
  remove: 'Remove',
  'run-now': 'Run now',
  move: 'Move',
  repair: 'Repair',
}
const FITTING: Record<BulkAction, readonly JobState[]> = {
  retry: ['dead', 'failed', 'aborted'],
  abort: ['queued', 'deferred', 'retrying', 'running'],
  remove: ['queued', 'deferred', 'retrying', 'dead', 'failed', 'aborted', 'complete'],
  'run-now': ['deferred', 'retrying'],
  move: ['queued', 'deferred', 'retrying'],
}
const COMMANDS: Record<PlanRequest['action'], number> = {
  retry: 6,
  abort: 2,
  remove: 0.01,
  'run-now': 0.01,
  move: 1,
  repair: 1,
}
const UNDO: Record<PlanRequest['action'], Plan['undo']> = {
  retry: { possible: true, limits: 'For jobs that have not started.' },
  abort: { possible: false, limits: 'A worker may have seen the request at once.' },
  remove: { possible: true, limits: 'For 15 minutes; the first 24 MiB are kept.' },
  'run-now': { possible: true, limits: 'For jobs that have not started.' },
  move: { possible: true, limits: 'For jobs that have not started.' },
  repair: { possible: false, limits: 'A repair is not undone.' },
}

interface FrozenPlan {
  user: string
  request: PlanRequest
  title: string
  /** Jobs by queue, each where it was seen. */
  queues: [queueName: string, jobs: SeenJob[]][]
  finding: Finding | null
}

interface Gathered {
  jobs: PagedJob[]
  left: Map<string, number>
  complete: boolean
}

/** `POST /api/plans`: freezes what an act would touch. */
export async function makePlan(board: Board, context: Context): Promise<Omit<Plan, 'cost'>> {
  const { user, body, access } = context
  const request = checkOptions('plan', schema, body) as PlanRequest
  await access.must(user, request.action, { type: 'plan', name: '' })
  if (request.action === 'move' && request.toQueue === undefined) {
    throw new Refusal('invalid_request', 'plan: `toQueue` says where the jobs go')
  }
  if (request.toQueue !== undefined) await access.must(user, 'view', { type: 'queue', name: request.toQueue })
  const frozenAtMs = await board.client.now()
  const finding = request.action === 'repair' ? await findingOf(board, request, context.sight) : null
  const { jobs, left, complete } = finding
    ? { jobs: [], left: new Map(), complete: true }
    : await gather(board, request, context)
  const count = finding ? finding.count : jobs.length
  const title = finding
    ? `Repair: ${finding.message}`
    : `${VERBS[request.action]} ${count.toLocaleString('en-US')} job${count === 1 ? '' : 's'}`
  const queues = new Map<string, SeenJob[]>()
  for (const { jobId, queueName, place, status } of jobs) {
    const seen = queues.get(queueName ?? '') ?? []
    seen.push({ jobId, place, isDead: status === 'dead' })
    queues.set(queueName ?? '', seen)
  }
  const token = newToken()
  const frozen: FrozenPlan = { user: user.name, request, title, queues: [...queues], finding }
  const room = { ttlMs: TOKEN_MS, limitBytes: LIMIT_BYTES }
  if (!(await board.client.reversals.keep('plan', token, JSON.stringify(frozen), room))) {
    throw new Refusal(
      'not_available',
      'plans and undo data take 64 MiB of Redis already; wait until some have expired, or plan less',
    )
  }
  return {
    token,
    action: request.action,
    frozenAtMs,
    expiresAtMs: frozenAtMs + TOKEN_MS,
    count,
    leftAlone: [...left].map(([reason, number]) => ({ reason, count: number })),
    examples: jobs.slice(0, EXAMPLES).map((job): JobRow => jobRow(job, board.redaction)),
    title,
    warnings: await warningsOf(board, request, count, context.sight),
    complete,
    estimate: { commands: Math.ceil(count * COMMANDS[request.action]) },
    undo: UNDO[request.action],
  }
}

/** `POST /api/plans/:token/run`: touches what was frozen, while it is as it was seen. A plan runs once. */
export async function runPlan(board: Board, context: Context): Promise<Omit<PlanOutcome, 'cost'>> {
  const { user, access, params, sight } = context
  const token = tokenIn(params.id!)
  const gone = () => new Refusal('gone', 'there is no such plan: it was run, or its 15 minutes are over; make it again')
  const stored = await board.client.reversals.read('plan', token)
  if (stored === null) throw gone()
  const plan = JSON.parse(stored) as FrozenPlan
  const { action } = plan.request
  if (plan.user !== user.name) throw new Refusal('forbidden', `the plan is "${plan.user}"'s; make your own`)
  await access.must(user, action, { type: 'plan', name: token })
  // Rights may have changed since the plan was made.
  const { toQueue } = plan.request
  const named = plan.finding ? [plan.finding.queueName] : plan.queues.map(([queueName]) => queueName)
  await mustSeeAll(sight, toQueue === undefined ? named : [...named, toQueue], 'plan')
  const count = plan.finding?.count ?? plan.queues.reduce((sum, [, jobs]) => sum + jobs.length, 0)
  return audited(board, user, { action, target: `plan ${token}`, count, text: plan.title }, async () => {
    if ((await board.client.reversals.take('plan', token)) === null) throw gone()
    return plan.finding ? repair(board, plan.finding) : run(board, plan)
  })
}

async function run(board: Board, { request, queues, title }: FrozenPlan): Promise<Omit<PlanOutcome, 'cost'>> {
  const action = request.action as BulkAction
  const left = new Map<string, number>()
  const steps: UndoStep[] = []
  let done = 0
  let lost = 0
  for (const [queueName, jobs] of queues) {
    const outcome = await actOn(board, { ...request, action }, queueName, jobs, JSON.stringify(steps).length)
    done += outcome.done
    lost += outcome.lost
    steps.push(...outcome.undo)
    for (const [reason, count] of outcome.left) left.set(reason, (left.get(reason) ?? 0) + count)
  }
  board.shared.forget()
  const limits =
    lost > 0 ? `${lost.toLocaleString('en-US')} jobs were too large to keep: they are gone.` : UNDO[action].limits
  const undo = await offerUndo(board, { action, text: title, steps, limits })
  const isLost = undo === null && steps.length > 0
  const message = `${title}: ${done.toLocaleString('en-US')} done.${isLost ? ' It cannot be undone: there was no room to keep it.' : ''}`
  return { done, leftAlone: [...left].map(([reason, count]) => ({ reason, count })), message, undo }
}

async function repair(board: Board, finding: Finding): Promise<Omit<PlanOutcome, 'cost'>> {
  const done = await board.client.doctor.repair(finding)
  board.examinations.forget()
  const left = Math.max(0, finding.count - done)
  const leftAlone = left === 0 ? [] : [{ reason: 'changed meanwhile', count: left }]
  return { done, leftAlone, message: `Repaired ${done.toLocaleString('en-US')}: ${finding.message}.`, undo: null }
}

async function findingOf(board: Board, { check, queueName = null }: PlanRequest, sight: Sight): Promise<Finding> {
  if (check === undefined) throw new Refusal('invalid_request', 'plan: `check` names the finding to repair')
  const { findings } = await board.examinations.examine(10_000)
  const seen = await sight.inQueues(findings, (each) => each.queueName)
  const finding = seen.find((each) => each.check === check && each.queueName === queueName)
  if (!finding) throw new Refusal('not_found', `the doctor finds no "${check.slice(0, 100)}" now`)
  if (finding.repair === null) throw new Refusal('conflict', 'only a person can repair this')
  return finding
}

/** Jobs that the plan touches, and those that it leaves alone. */
async function gather(board: Board, request: PlanRequest, { user, access, sight }: Context): Promise<Gathered> {
  const gathered: Gathered = { jobs: [], left: new Map(), complete: true }
  const leave = (reason: string) => gathered.left.set(reason, (gathered.left.get(reason) ?? 0) + 1)
  const action = request.action as BulkAction
  const nowMs = await board.client.now()
  const filter = parseQuery(request.q ?? '')
  const [problem] = filter.problems
  if (problem !== undefined) throw new Refusal('invalid_request', `the query was not understood: ${problem}`)
  const wanted = await wantedIds(board, request)
  if (wanted === null && request.q === undefined) {
    throw new Refusal('invalid_request', 'plan: one of `q`, `jobIds`, `fingerprint` and `check` says what is meant')
  }
  const fits = fitting(filter, board.redaction, nowMs)
  const { names } = await board.names.known()
  const queueNames = filter.queueNames.length > 0 ? filter.queueNames : names
  const seenQueues = queueNames.filter(await sight.over(queueNames))
  const statuses = filter.statuses.length > 0 ? (filter.statuses as JobState[]) : [...FITTING[action]]
  let cursor: string | null = null
  let scanned = 0
  const seen = new Set<string>()
  do {
    const page = await board.client.jobs.page({
      queueNames: seenQueues,
      everyQueue: filter.queueNames.length === 0,
      statuses,
      fits: (job) => (wanted === null || wanted.has(job.jobId)) && fits(job),
      cursor,
      limit: PAGE,
      budget: PAGE,
    })
    scanned += page.scanned
    cursor = page.cursor
    // Of the jobs of other queues nothing is said, not even their number.
    for (const job of await sight.inQueues(page.jobs, ({ queueName }) => queueName || null)) {
      // A dead letter may have a kept result as well, and a job that moves may come twice.
      if (seen.has(job.jobId)) continue
      seen.add(job.jobId)
      wanted?.delete(job.jobId)
      const reason = await reasonAgainst(action, request, job, (id) =>
        access.may(user, action, { type: 'job', name: id }),
      )
      if (reason === null && gathered.jobs.length < MAX_JOBS) gathered.jobs.push(job)
      else if (reason !== null) leave(reason)
    }
    if (gathered.jobs.length >= MAX_JOBS || scanned >= MAX_SCANNED) break
  } while (cursor !== null && wanted?.size !== 0)
  gathered.complete = cursor === null || wanted?.size === 0
  for (let i = 0; i < (wanted?.size ?? 0); i++) leave('in another state, or gone')
  return gathered
}

async function wantedIds(board: Board, { jobIds, fingerprint }: PlanRequest): Promise<Set<string> | null> {
  if (jobIds) return new Set(jobIds)
  if (fingerprint === undefined) return null
  board.shared.forget()
  return new Set((await lettersOf(board, fingerprint)).map(({ jobId }) => jobId))
}

async function reasonAgainst(
  action: BulkAction,
  { toQueue }: PlanRequest,
  job: PagedJob,
  may: (jobId: string) => Promise<boolean>,
): Promise<string | null> {
  if (!FITTING[action].includes(job.status))
    return job.status === 'running' ? 'running' : `${job.status}: nothing to ${action}`
  if (!job.queueName) return 'its queue is not known'
  if (action === 'move' && job.queueName === toQueue) return 'there already'
  if (action === 'retry' && job.status === 'dead' && job.info === null) return 'its payload is gone'
  return (await may(job.jobId)) ? null : 'you may not'
}

async function warningsOf(
  board: Board,
  { action, spreadMs }: PlanRequest,
  count: number,
  sight: Sight,
): Promise<string[]> {
  if (action === 'abort') return ['A Python worker aborts running jobs only with allow_abort_jobs.']
  if (action !== 'retry' && action !== 'run-now') return []
  const { names } = await board.names.known()
  const sees = await sight.over(names)
  const growing = names.filter((name) => sees(name) && (board.pulse.rates(name, false)?.netPerMinute ?? 0) > 0)
  if (growing.length === 0 || count < 100 || spreadMs) return []
  return [`${growing.slice(0, 3).join(', ')} grows already: ${count.toLocaleString('en-US')} jobs at once come on top.`]
}
