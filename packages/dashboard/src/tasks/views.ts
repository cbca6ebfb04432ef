import type {
  CacheData,
  DeletionListData,
  DeploymentGuard,
  DeploymentListData,
  DeploymentRow,
  DeploymentView,
} from '../api/tasks.ts'
import type { Unavailable } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import type { Viewer } from '../users/access.ts'
import type { SeenDeployment, TaskSources } from './sources.ts'

type Answer<T> = Promise<Unavailable | Omit<T, 'cost'>>

const PAGE = 50

const PACKAGES: Record<keyof TaskSources, string> = {
  deployments: '@arq-ts/canary',
  cache: '@arq-ts/write-behind',
  deletions: '@arq-ts/qdrant',
}

/** The answer where the installation lacks the package of a task. */
export function lacking(source: keyof TaskSources): Unavailable {
  return {
    available: false,
    why: `This dashboard was started without ${PACKAGES[source]}: install it next to the dashboard, or hand it over as the option "tasks".`,
  }
}

/** `GET /api/canaries` */
export async function deploymentList({ settings }: Board): Answer<DeploymentListData> {
  const source = settings.tasks.deployments
  if (!source) return lacking('deployments')
  const { deployments, total, unreadable } = await source.list({ limit: PAGE })
  return { available: true, deployments: deployments.map(rowOf), total, unreadable }
}

/** The deployments of a list that a user may see. */
export async function deploymentsSeen<
  T extends Unavailable | Pick<DeploymentListData, 'available' | 'deployments' | 'unreadable'>,
>(list: T, { sight }: Viewer): Promise<T> {
  if (!list.available) return list
  const resourceOf = ({ id: name }: { id: string }) => ({ type: 'deployment', name }) as const
  return {
    ...list,
    deployments: await sight.own(list.deployments, resourceOf),
    unreadable: await sight.own(list.unreadable, resourceOf),
  }
}

/** `GET /api/canaries/:id` @throws Refusal where there is none */
export async function deploymentView({ settings }: Board, id: string): Promise<Omit<DeploymentView, 'cost'>> {
  const source = settings.tasks.deployments
  if (!source) throw new Refusal('not_available', lacking('deployments').why)
  const details = await source.details(id)
  if (!details) throw new Refusal('not_found', `there is no deployment "${id.slice(0, 200)}"`)
  const { nowMs, guards, minutes, missing, doubt } = details
  return {
    ...rowOf(details),
    nowMs,
    guards: guards.map(withoutFalseClear),
    minutes: minutes.map(({ atMs, new: fresh, old }) => ({
      atMs,
      newRequests: fresh.requests,
      newErrorRate: fresh.errorRate,
      oldRequests: old.requests,
    })),
    missing,
    doubt,
  }
}

/**
 * A guard whose value is beyond its limit does not hold, though the judge has found nothing: it compares with the old
 * collection only once both have answered enough requests.
 */
export function withoutFalseClear(guard: DeploymentGuard): DeploymentGuard {
  const { limit, side, value, verdict } = guard
  if (verdict !== 'ok' || value === null || limit === null) return guard
  const isBeyond = side === 'max' ? value > limit : value < limit
  return isBeyond ? { ...guard, verdict: 'unseen', text: 'beyond its limit; too few requests to judge it' } : guard
}

/** Names each field: rules hold addresses with secrets in them, which no page needs. */
function rowOf(seen: SeenDeployment): DeploymentRow {
  const { id, alias, oldCollection, newCollection, status, ending, currentStage, share, metrics } = seen
  const { startedAtMs, stageStartedAtMs, warmingUntilMs, nextTickAtMs, finishedAtMs, reason, autoRollback, acts } = seen
  return {
    id,
    alias,
    oldCollection,
    newCollection,
    status,
    ending,
    stages: seen.stages.map(({ percentage, durationMinutes, errorThreshold, latencyThreshold, approval = false }) => ({
      percentage,
      durationMinutes,
      errorThreshold,
      latencyThreshold,
      approval,
    })),
    currentStage,
    share,
    metrics,
    startedAtMs,
    stageStartedAtMs,
    warmingUntilMs,
    nextTickAtMs,
    finishedAtMs,
    reason,
    decisions: seen.decisions.map(({ atMs, stage, decision }) => ({ atMs, stage, decision })),
    dryRun: seen.rules.dryRun,
    autoRollback,
    minSamples: seen.rules.minSamples,
    acts,
  }
}

/** The entries of the cache that a user may see. */
export async function cacheSeen<T extends Unavailable | Pick<CacheData, 'available' | 'entries'>>(
  list: T,
  { sight }: Viewer,
): Promise<T> {
  if (!list.available) return list
  return { ...list, entries: await sight.own(list.entries, ({ key: name }) => ({ type: 'cache', name })) }
}

/** `GET /api/cache` */
export async function cacheView({ client, redaction, settings }: Board, cursor: string | null): Answer<CacheData> {
  const source = settings.tasks.cache
  if (!source) return lacking('cache')
  const [nowMs, stats, page] = await Promise.all([client.now(), source.stats(), source.page({ cursor, limit: PAGE })])
  const entries = page.entries.map(({ key, status, persister, version, bytes, dueAt, since, error }) => ({
    key,
    status,
    persister,
    version,
    bytes,
    dueMs: dueAt?.getTime() ?? null,
    sinceMs: since?.getTime() ?? null,
    // The text of an exception of a persister; its jobs are those of the cache, and not known here.
    error: redaction.error({ jobId: '', functionName: null, queueName: null }, error),
  }))
  return { available: true, nowMs, stats, entries, cursor: page.cursor }
}

/** The deletions of a list that a user may see: each is a job. */
export async function deletionsSeen<T extends Unavailable | Pick<DeletionListData, 'available' | 'deletions'>>(
  list: T,
  { sight }: Viewer,
): Promise<T> {
  if (!list.available) return list
  return { ...list, deletions: await sight.jobs(list.deletions) }
}

/** `GET /api/deletions` */
export async function deletionList({ client, settings }: Board, cursor: string | null): Answer<DeletionListData> {
  const source = settings.tasks.deletions
  if (!source) return lacking('deletions')
  const [nowMs, page] = await Promise.all([client.now(), source.page({ cursor, limit: PAGE })])
  const deletions = page.deletions.map(({ enqueuedAt, dueAt, ...rest }) => ({
    ...rest,
    enqueuedMs: enqueuedAt.getTime(),
    dueMs: dueAt.getTime(),
  }))
  return { available: true, nowMs, deletions, scanned: page.scanned, cursor: page.cursor }
}
