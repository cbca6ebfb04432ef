import { measureCommands } from '@arq-ts/core'
import type { ActionName, Bootstrap, QueueDetails, QueueList, WorkerList } from './api/types.ts'
import type { Board } from './board.ts'
import { actOnJob, clone, enqueue, pauseCron, pauseOrResume, runCron, setErrorState } from './act/acts.ts'
import { makePlan, runPlan } from './act/plans.ts'
import { undo } from './act/undo.ts'
import { nameIn } from './http/names.ts'
import { Refusal } from './http/refusal.ts'
import type { Route } from './http/router.ts'
import type { Resource } from './options.ts'
import { cancelFlow, replayFlow } from './flows/acts.ts'
import { flowList, flowsSeen, flowView } from './flows/views.ts'
import { clearLimit, setLimit } from './limits/acts.ts'
import { limitList, limitsSeen, limitView } from './limits/views.ts'
import { pauseSchedule, putSchedule, removeSchedule, runSchedule } from './schedules/acts.ts'
import { lastSeen, scheduleList, schedulesSeen, scheduleView, tickPreview } from './schedules/views.ts'
import { cronCalendar, cronSeen } from './read/cron.ts'
import { doctorReport } from './read/doctor.ts'
import { errorDetails, errorList, errorsSeen } from './read/errors.ts'
import { forecast } from './read/forecast.ts'
import { functionMap } from './read/functions.ts'
import { jobExplanation, jobPage, jobView, sensibleActs } from './read/jobs.ts'
import { overview } from './read/overview.ts'
import { pythonRow, queuesIn, snapshot, snapshotSeen, workerRow, workersIn } from './read/queues.ts'
import { badges } from './read/badges.ts'
import { history } from './read/history.ts'
import { logs } from './read/logs.ts'
import { audit, events, heatmap, numberIn, series } from './read/recorded.ts'
import { openApi } from './openapi.ts'
import { Hub } from './stream/hub.ts'
import { eventStream, streamOf } from './stream/sse.ts'
import { shownUser } from './users/access.ts'
import type { Guarded, Viewer } from './users/access.ts'
import type { Sight } from './users/sight.ts'
import { cancelDeletion, flush, steer } from './tasks/acts.ts'
import {
  cacheSeen,
  cacheView,
  deletionList,
  deletionsSeen,
  deploymentList,
  deploymentsSeen,
  deploymentView,
} from './tasks/views.ts'
import { version } from './version.ts'

/** Tabs that ask within this time get one answer. */
const SHARED_MS = 1_000

/** One request, once it is let through. */
export interface Context extends Viewer {
  request: Request
  params: Readonly<Record<string, string>>
  body: Record<string, unknown>
  query: URLSearchParams
  basePath: string
}

/** Handler of a route, and the permission that a user needs. */
export interface Handler extends Guarded {
  run: (context: Context) => Promise<unknown>
}

/** Every route of the API. */
export function routesOf(board: Board): Route<Handler>[] {
  const job = ({ params }: Context) => params.id!
  const queue = ({ query }: Context) => nameIn(query, 'queue')
  const hub = new Hub(board)
  return [
    ...changesOf(board),
    view('/api/bootstrap', (context) => bootstrap(board, context)),
    sharedView(board, '/api/overview', ({ sight }) => overview(board, sight)),
    sharedView(board, '/api/forecast', ({ sight }) => forecast(board, null, sight)),
    sharedView(board, '/api/queues', ({ sight }) => queueList(board, sight)),
    view('/api/queues/:id', ({ params, sight }) => queueDetails(board, params.id!, sight), 'queue'),
    view('/api/queues/:id/forecast', ({ params, sight }) => forecast(board, params.id!, sight), 'queue'),
    view('/api/jobs', ({ query, sight }) => {
      const limit = Math.floor(numberIn(query, 'limit') ?? 50)
      return jobPage(board, { q: query.get('q') ?? '', cursor: query.get('cursor'), limit }, sight)
    }),
    view('/api/jobs/:id', (context) => jobWithActs(board, context), 'job'),
    view('/api/jobs/:id/explain', (context) => jobExplanation(board, job(context), queue(context)), 'job'),
    view('/api/jobs/:id/history', (context) => history(board, job(context), queue(context), context.sight), 'job'),
    view('/api/jobs/:id/logs', (context) => logs(board, job(context), context.query.get('after')), 'job'),
    sharedView(board, '/api/functions', ({ sight }) => functionMap(board, sight)),
    sharedView(board, '/api/workers', ({ sight }) => workerList(board, sight)),
    sharedList(board, '/api/flows', () => flowList(board), flowsSeen),
    view(
      '/api/flows/:id',
      ({ params, sight }) => flowView(board, params.id!, (members) => sight.jobs(members)),
      'flow',
    ),
    sharedList(board, '/api/schedules', ({ query }) => scheduleList(board, query), schedulesSeen),
    view(
      '/api/schedules/:id',
      async (context) => lastSeen(await scheduleView(board, context.params.id!), context),
      'schedule',
    ),
    view('/api/ticks', ({ query }) => tickPreview(board, query)),
    sharedList(
      board,
      '/api/limits',
      () => limitList(board),
      (list, viewer) => limitsSeen(board, list, viewer),
    ),
    view(
      '/api/limits/:id',
      ({ params, query, sight }) => limitView(board, params.id!, nameIn(query, 'key'), sight),
      'limit',
    ),
    sharedList(
      board,
      '/api/cron',
      ({ query }) => cronCalendar(board, query),
      (calendar, { sight }) => cronSeen(board, calendar, sight),
    ),
    sharedList(
      board,
      '/api/errors',
      ({ query }) => errorList(board, query.get('state')),
      (list, { sight }) => errorsSeen(board, list, sight),
    ),
    view('/api/errors/:id', ({ params, sight }) => errorDetails(board, params.id!, sight), 'error'),
    sharedView(board, '/api/series', ({ query, sight }) => series(board, query, sight)),
    sharedView(board, '/api/heatmap', ({ query, sight }) => heatmap(board, query, sight)),
    sharedView(board, '/api/events', ({ query, sight }) => events(board, query, sight)),
    sharedView(board, '/api/audit', (context) => audit(board, context.query, context)),
    sharedList(board, '/api/canaries', () => deploymentList(board), deploymentsSeen),
    view('/api/canaries/:id', ({ params }) => deploymentView(board, params.id!), 'deployment'),
    sharedList(board, '/api/cache', ({ query }) => cacheView(board, query.get('cursor')), cacheSeen),
    sharedList(board, '/api/deletions', ({ query }) => deletionList(board, query.get('cursor')), deletionsSeen),
    view('/api/doctor', ({ query, sight }) => {
      const limit = Math.floor(numberIn(query, 'limit') ?? 10_000)
      return doctorReport(board, Math.min(1_000_000, Math.max(0, limit)), sight)
    }),
    {
      method: 'GET',
      path: '/api/jobs/:id/logs/stream',
      handler: handler('view', 'job', (context) => Promise.resolve(jobLogStream(hub, context))),
    },
    {
      method: 'GET',
      path: '/api/stream',
      handler: handler('view', 'dashboard', (context) =>
        Promise.resolve(streamOf(hub, context, () => board.sightOf(context.user, context.access))),
      ),
    },
    {
      method: 'GET',
      path: '/api/openapi.json',
      handler: handler('view', 'dashboard', () => Promise.resolve(openApi())),
    },
  ]
}

function jobLogStream(hub: Hub, { request, params, query }: Context): Response {
  const after = request.headers.get('last-event-id') ?? query.get('after')
  return eventStream(hub, request, (channel) =>
    hub.jobLogs.subscribe(params.id!, nameIn(query, 'queue') ?? undefined, channel, after),
  )
}

/** Every route that changes something. */
function changesOf(board: Board): Route<Handler>[] {
  const onJobs = (['retry', 'remove', 'run-now', 'abort'] as const).map((action) =>
    change(`/api/jobs/:id/${action}`, action, 'job', (context) => actOnJob(board, action, context)),
  )
  const onQueues = (['pause', 'resume'] as const).map((action) =>
    change(`/api/queues/:id/${action}`, action, 'queue', (context) => pauseOrResume(board, action, context)),
  )
  const onErrors = (['mute', 'resolve', 'reopen'] as const).map((action) =>
    change(`/api/errors/:id/${action}`, action, 'error', (context) => setErrorState(board, action, context)),
  )
  const onDeployments = (['approve', 'pause', 'resume', 'promote', 'rollback'] as const).map((act) =>
    change(`/api/canaries/:id/${act}`, 'steer-canary', 'deployment', (context) => steer(board, act, context)),
  )
  const onSchedules = (['pause', 'resume'] as const).map((action) =>
    change(`/api/schedules/:id/${action}`, action, 'schedule', (context) => pauseSchedule(board, action, context)),
  )
  const onCron = (['pause', 'resume'] as const).map((action) =>
    change(`/api/cron/:id/${action}`, action, 'cron', (context) => pauseCron(board, action, context)),
  )
  return [
    ...onJobs,
    ...onCron,
    ...onDeployments,
    ...onSchedules,
    change('/api/cache/flush', 'flush', 'cache', (context) => flush(board, context)),
    change('/api/deletions/:id/cancel', 'cancel-deletion', 'deletion', (context) => cancelDeletion(board, context)),
    ...onQueues,
    ...onErrors,
    change('/api/jobs', 'enqueue', 'dashboard', (context) => enqueue(board, context)),
    change('/api/jobs/:id/clone', 'clone', 'job', (context) => clone(board, context)),
    change('/api/cron/:id/run', 'run-cron', 'cron', (context) => runCron(board, context)),
    change('/api/schedules/:id', 'put-schedule', 'schedule', (context) => putSchedule(board, context)),
    change('/api/schedules/:id/run', 'run-schedule', 'schedule', (context) => runSchedule(board, context)),
    change('/api/schedules/:id/remove', 'remove-schedule', 'schedule', (context) => removeSchedule(board, context)),
    change('/api/flows/:id/cancel', 'cancel-flow', 'flow', (context) => cancelFlow(board, context)),
    change('/api/flows/:id/replay', 'replay-flow', 'flow', (context) => replayFlow(board, context)),
    change('/api/limits/:id', 'set-limit', 'limit', (context) => setLimit(board, context)),
    change('/api/limits/:id/clear', 'set-limit', 'limit', (context) => clearLimit(board, context)),
    change('/api/plans', 'later', 'plan', (context) => withCost(() => makePlan(board, context))),
    change('/api/plans/:id/run', 'later', 'plan', (context) => withCost(() => runPlan(board, context))),
    change('/api/undo/:id', 'later', 'undo', (context) => undo(board, context, context.params.id!)),
  ]
}

function change(
  path: string,
  action: ActionName | 'later',
  type: Resource['type'],
  run: (context: Context) => Promise<object>,
): Route<Handler> {
  return { method: 'POST', path, handler: handler(action, type, run) }
}

/** A route that changes nothing; its answer says what it has cost. */
function view(
  path: string,
  run: (context: Context) => Promise<object>,
  type: Resource['type'] = 'dashboard',
): Route<Handler> {
  return { method: 'GET', path, handler: handler('view', type, (context) => withCost(() => run(context))) }
}

/**
 * A view that is made once for all tabs that ask for it within a second, and anew for a user from whom something may be
 * hidden.
 */
function sharedView(board: Board, path: string, run: (context: Context) => Promise<object>): Route<Handler> {
  return view(path, (context) => {
    if (!context.sight.isWhole) return run(context)
    return board.shared.of(`${path}?${context.query.toString()}`, SHARED_MS, () => run(context))
  })
}

/** A list that is made once for all tabs, and of which each user sees the things that they may. */
function sharedList<T extends object>(
  board: Board,
  path: string,
  make: (context: Context) => Promise<T>,
  seen: (list: T, viewer: Viewer) => Promise<T>,
): Route<Handler> {
  return view(path, async (context) => {
    const list = await board.shared.of(`${path}?${context.query.toString()}`, SHARED_MS, () => make(context))
    return seen(list, context)
  })
}

/** Makes a handler about what the path names. */
export function handler(
  action: 'view' | ActionName | 'later',
  type: Resource['type'],
  run: (context: Context) => Promise<unknown>,
): Handler {
  return { action, resource: (params) => ({ type, name: params.id ?? '' }), run }
}

/** The answer with the commands that it has cost Redis. */
export async function withCost<T extends object>(
  work: () => Promise<T>,
): Promise<T & { cost: { commands: number; tookMs: number } }> {
  const startedMs = performance.now()
  const { value, commands } = await measureCommands(work)
  return { ...value, cost: { commands, tookMs: Math.round(performance.now() - startedMs) } }
}

async function bootstrap(board: Board, { user, basePath, access, sight }: Context): Promise<Bootstrap> {
  const { settings, client } = board
  const [{ names }, numbers] = await Promise.all([
    board.shared.of('names', SHARED_MS, () => board.names.known()),
    badges(board, sight),
  ])
  return {
    api: 1,
    version,
    title: settings.title,
    redis: settings.address,
    basePath,
    user: shownUser(user),
    readOnly: settings.readOnly,
    actions: await access.actionsOf(user, { type: 'dashboard', name: '' }),
    nowMs: await board.shared.of('now', SHARED_MS, () => client.now()),
    queues: await sight.inQueues(names, (name) => name),
    badges: numbers,
    features: { recorder: true, progress: true, stream: true },
    traceUrl: settings.traceUrl ?? null,
  }
}

async function queueList(board: Board, sight: Sight): Promise<Omit<QueueList, 'cost'>> {
  return queuesIn(await snapshotSeen(await snapshot(board), sight))
}

async function queueDetails(board: Board, queueName: string, sight: Sight): Promise<Omit<QueueDetails, 'cost'>> {
  const { names } = await board.names.known()
  if (!names.includes(queueName) && !(await board.client.queues.exists(queueName))) {
    throw new Refusal('not_found', `there is no queue "${queueName.slice(0, 200)}": it is empty and nobody serves it`)
  }
  const { nowMs, queues, workers, python } = await snapshotSeen(await snapshot(board, [queueName]), sight)
  return {
    nowMs,
    queue: queues[0]!,
    workers: workers.filter((worker) => worker.queues.includes(queueName)).map(workerRow),
    python: python.map(pythonRow),
  }
}

async function workerList(board: Board, sight: Sight): Promise<Omit<WorkerList, 'cost'>> {
  const { names, complete } = await board.names.known()
  const fleet = await board.client.workers.fleet(names)
  const nowMs = await board.client.now()
  return workersIn(await snapshotSeen({ ...fleet, nowMs, queues: [], complete, omitted: [] }, sight))
}

async function jobWithActs(board: Board, { params, query, user, access }: Context) {
  const view = await jobView(board, params.id!, nameIn(query, 'queue'))
  const acts = sensibleActs(view.status, view.functionName !== null)
  return { ...view, actions: await access.actionsOf(user, { type: 'job', name: view.jobId }, acts) }
}
