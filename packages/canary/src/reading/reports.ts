/** Reports of deployments, read from Redis: Qdrant is not asked. */
import { actsOf } from '../acts.ts'
import type { Act } from '../acts.ts'
import type { Metrics } from '../judging/tally.ts'
import type { RequestCounts } from '../requests.ts'
import { countStage, countStageAndHour, countStages, figuresOf } from '../stage-counts.ts'
import { isOver, shareOf, stageOf } from '../state.ts'
import type { DeploymentStore } from '../store.ts'
import type { Deployment, Figures } from '../types.ts'
import { countedDetails } from './details.ts'
import type { CountedDetails } from './details.ts'

/** A number that was recorded `count` times. */
export interface MeanOf {
  count: number
  mean: number
}

/** A deployment in a list: as it is now, with the figures of its stage. */
export interface DeploymentSummary extends Omit<
  Deployment,
  'askedBy' | 'stageMarks' | 'outbox' | 'final' | 'accumulated'
> {
  /** The share of the traffic that goes to the new collection: 0 before and after, 100 once it is behind the alias. */
  percentage: number
  /** Configured: `percentage`. Observed: the percentage of users' requests that the new collection answered; null of none. */
  share: { configured: number; observed: number | null; shadow: number }
  metrics: { new: Metrics; old: Metrics }
  /** Methods that people can call now. */
  acts: Act[]
}

/** A deployment as it is now, with the figures of its stage; once it has ended, with those it ended with. */
export interface DeploymentReport extends DeploymentSummary {
  /** Means of the numbers recorded with requests, by name. */
  values: { new: Record<string, MeanOf>; old: Record<string, MeanOf> }
}

/** A deployment with all that a page about it shows. What was counted is kept for two hours. */
export interface DeploymentDetails extends DeploymentReport, CountedDetails {
  /** Redis's clock, or the one that was given. */
  nowMs: number
}

/** A page of deployments. */
export interface DeploymentList {
  /** Deployments under way, oldest first, then those that have ended, newest first. */
  deployments: DeploymentSummary[]
  /** The number of all of them. */
  total: number
  /** Deployments of this page whose state in Redis is damaged, and what is to be done; services may still route by them. */
  unreadable: { id: string; reason: string }[]
}

/** Sources of reports. */
export interface ReportSources {
  store: DeploymentStore
  counts: RequestCounts
  /** Unix ms. */
  now: () => Promise<number>
}

/** Null where there is no such deployment. */
export async function readReport(sources: ReportSources, id: string): Promise<DeploymentReport | null> {
  const state = await sources.store.read(id)
  if (state === null) return null
  const figures = state.final ?? (await stageFigures(sources, state))
  return reportOf(state, figures)
}

/** Null where there is no such deployment. */
export async function readDetails(sources: ReportSources, id: string): Promise<DeploymentDetails | null> {
  const { counts, now, store } = sources
  const [state, nowMs] = await Promise.all([store.read(id), now()])
  if (state === null) return null
  const untilMs = state.finishedAtMs ?? nowMs
  const counted = await countStageAndHour(counts, state, untilMs)
  const figures = state.final ?? figuresOf(isOver(state) ? [] : counted.stage)
  return { ...reportOf(state, figures), ...countedDetails(state, counted, untilMs), nowMs }
}

/** At most `limit` deployments, by fewer than `2 * limit` commands: latencies that Python alone has just listed are left out. */
export async function readList(
  { counts, now, store }: ReportSources,
  { active, limit }: { active: boolean; limit: number },
): Promise<DeploymentList> {
  const { ids, total } = await store.page(limit, active)
  const [{ damaged, states }, nowMs] = await Promise.all([store.readMany(ids), now()])
  const open = states.filter((state) => !isOver(state))
  const counted = await countStages(counts, open, nowMs)
  const figures = new Map(open.map(({ id }, i) => [id, figuresOf(counted[i]!)]))
  const deployments = states.map((state) => summaryOf(state, state.final ?? figures.get(state.id) ?? figuresOf([])))
  const reasons = new Map(damaged.map(({ id, message }) => [id, message]))
  return { deployments, total, unreadable: [...reasons].map(([id, reason]) => ({ id, reason })) }
}

function stageFigures({ counts, now }: ReportSources, state: Deployment): Promise<Figures> | Figures {
  if (isOver(state)) return figuresOf([]) // it ended under a version that kept none
  return now().then(async (nowMs) => figuresOf((await countStage(counts, state, nowMs)).minutes))
}

function reportOf(state: Deployment, figures: Figures): DeploymentReport {
  return {
    ...summaryOf(state, figures),
    values: { new: means(figures.values.new), old: means(figures.values.old) },
  }
}

function summaryOf(deployment: Deployment, figures: Figures): DeploymentSummary {
  const { accumulated: _, askedBy: __, final: ___, outbox: ____, stageMarks: _____, ...report } = deployment
  const isBehindAlias = deployment.status === 'completed' && !deployment.rules.dryRun
  const percentage = shareOf(deployment) ?? (isBehindAlias ? 100 : 0)
  const shadow = shareOf(deployment) === null ? 0 : (stageOf(deployment).shadow ?? 0)
  return {
    ...report,
    percentage,
    share: { configured: percentage, observed: figures.observedShare, shadow },
    metrics: { new: figures.new, old: figures.old },
    acts: actsOf(deployment),
  }
}

function means(values: Figures['values']['new']): Record<string, MeanOf> {
  return Object.fromEntries(
    Object.entries(values).map(([name, { count, sum }]) => [name, { count, mean: sum / count }]),
  )
}
