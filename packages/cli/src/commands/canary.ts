import { setTimeout as sleep } from 'node:timers/promises'
import { redisOptionsOf } from '@arq-ts/core/config'
import type { Client } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { audited } from '../audit.ts'
import { CommandError, EXIT } from '../exit.ts'
import { duration } from '../grammar/flags.ts'
import { jsonText } from '../json-value.ts'
import { loadPackage } from '../load-package.ts'
import { countText, instantText, whenText } from '../output.ts'
import type { Column, Output } from '../output.ts'
import { withSession } from '../session.ts'
import type { Session } from '../session.ts'
import { noteUnserved } from '../unserved.ts'

interface Metrics {
  totalRequests: number
  totalErrors: number
  errorRate: number | null
  p95LatencyMs: number | null
}
interface Report {
  id: string
  alias: string
  oldCollection: string
  newCollection: string
  status: string
  currentStage: number
  stages: { percentage: number; durationMinutes: number }[]
  share: { configured: number; observed: number | null; shadow: number }
  metrics: { new: Metrics; old: Metrics }
  values: Record<'new' | 'old', Record<string, { count: number; mean: number }>>
  startedAtMs: number
  finishedAtMs: number | null
  reason: string | null
  ending: string | null
  rules: { dryRun: boolean }
  decisions: { atMs: number; decision: string }[]
}
/** The part of @arq-ts/canary that is used here; the CLI does not depend on it. */
interface Deployments {
  status(id: string): Promise<Report | null>
  active(): Promise<Report[]>
  list(): Promise<{ unreadable: { id: string; reason: string }[] }>
  history(options: { limit: number }): Promise<Report[]>
  startCanary(alias: string, collection: string, options: object): Promise<string>
  approve(id: string, options: { stage?: number }): Promise<void>
  pause(id: string): Promise<void>
  resume(id: string): Promise<void>
  promote(id: string): Promise<void>
  rollback(id: string, reason?: string): Promise<void>
  close(): Promise<void>
}
interface CanaryModule {
  createDeployments: (
    options: unknown,
    environment: { client: Client; redis: unknown; keyPrefix: string },
  ) => Deployments
}

const PACKAGE = '@arq-ts/canary'
const FAILED: ReadonlySet<string> = new Set(['failed', 'rolled_back', 'rollback_failed'])

function withDeployments(
  args: GlobalArgs,
  work: (session: Session & { deployments: Deployments }) => Promise<number>,
): Promise<number> {
  return withSession(args, async (session) => {
    const { client, loaded } = session
    const { createDeployments } = await loadPackage<CanaryModule>(PACKAGE, 'canary', loaded.file)
    const entry = loaded.config.tasks.find((each) => typeof each === 'object' && each.use === PACKAGE)
    const place = { redis: redisOptionsOf(loaded.config), keyPrefix: loaded.config.key_prefix }
    const deployments = createDeployments(typeof entry === 'object' ? entry.with : undefined, { client, ...place })
    try {
      return await work({ ...session, deployments })
    } catch (error) {
      if ((error as { code?: string }).code === 'ARQ_DEPLOYMENT')
        throw new CommandError((error as Error).message, EXIT.no)
      throw error
    } finally {
      await deployments.close()
    }
  })
}

const percent = (value: number | null) => (value === null ? '–' : `${Math.round(value * 10) / 10} %`)
const statusOf = ({ ending, rules, status }: Report) =>
  `${ending === null ? status : `${status}, on its way to ${ending}`}${rules.dryRun ? ' (dry run)' : ''}`
const stageText = ({ currentStage, stages }: Report) => `${currentStage + 1} of ${stages.length}`

const columns = (nowMs: number): readonly Column<Report>[] => [
  { title: 'deployment', cell: ({ id }) => id, min: 12 },
  { title: 'alias', cell: ({ alias }) => alias, min: 8 },
  { title: 'new collection', cell: ({ newCollection }) => newCollection, min: 8, drop: 3 },
  { title: 'status', cell: statusOf },
  { title: 'stage', cell: stageText, drop: 4 },
  { title: 'share', cell: ({ share }) => percent(share.configured), align: 'right' },
  { title: 'requests', cell: ({ metrics }) => countText(metrics.new.totalRequests), align: 'right', drop: 2 },
  {
    title: 'errors',
    cell: ({ metrics }) => percent(metrics.new.errorRate === null ? null : metrics.new.errorRate * 100),
    align: 'right',
  },
  { title: 'started', cell: ({ startedAtMs }) => whenText(startedAtMs, nowMs), drop: 1 },
  { title: 'reason', cell: ({ reason }) => reason ?? '', min: 10 },
]

/** `canary ls` */
export function list(args: GlobalArgs & { active?: boolean; limit: number }): Promise<number> {
  return withDeployments(args, async ({ deployments, nowMs, out }) => {
    const active = await deployments.active()
    const ended = args.active ? [] : await deployments.history({ limit: args.limit })
    const incomplete = await unreadable(deployments)
    out.list([...active, ...ended], columns(nowMs), { name: 'deployments', none: 'no deployment', incomplete })
    return EXIT.ok
  })
}

/** `canary show` */
export function show(args: GlobalArgs & { deployment: string; watch?: boolean; interval: number }): Promise<number> {
  return withDeployments(args, async ({ client, deployments, nowMs, out }) => {
    const { id } = await find(deployments, args.deployment)
    let shown = 0
    let line = ''
    for (;;) {
      const report = await find(deployments, id)
      if (!args.watch) {
        out.data(report, () => describe(report, nowMs, out))
        return FAILED.has(report.status) ? EXIT.no : EXIT.ok
      }
      const figures = figuresLine(report)
      // At most 100 decisions are kept, so the last one that was shown is found by its time.
      const fresh = report.decisions.filter(({ atMs }) => atMs > shown)
      if (out.json) {
        if (figures !== line || fresh.length > 0) out.raw(jsonText(report))
      } else {
        for (const { atMs, decision } of fresh) out.line(`${new Date(atMs).toISOString()}  ${decision}`)
        if (figures !== line) out.line(figures)
      }
      shown = report.decisions.at(-1)?.atMs ?? shown
      line = figures
      if (report.finishedAtMs !== null) return FAILED.has(report.status) ? EXIT.no : EXIT.ok
      await sleep(args.interval)
      await client.now() // a Redis that is away ends the command with its message
    }
  })
}

function figuresLine({ metrics: { new: fresh }, share }: Report): string {
  const p95 = fresh.p95LatencyMs === null ? '–' : `${Math.round(fresh.p95LatencyMs)} ms`
  const errors = percent(fresh.errorRate === null ? null : fresh.errorRate * 100)
  return `share ${percent(share.configured)} (observed ${percent(share.observed)})  ${countText(fresh.totalRequests)} requests  ${errors} errors  p95 ${p95}`
}

function describe(report: Report, nowMs: number, out: Output): void {
  const { alias, decisions, finishedAtMs, id, metrics, newCollection, oldCollection, reason, share, values } = report
  const side = ({ errorRate, p95LatencyMs, totalErrors, totalRequests }: Metrics) =>
    `${countText(totalRequests)} requests, ${countText(totalErrors)} errors (${percent(errorRate === null ? null : errorRate * 100)}), p95 ${p95LatencyMs === null ? '–' : `${Math.round(p95LatencyMs * 10) / 10} ms`}`
  const means = Object.entries(values.new).map(([name, { mean }]) => {
    const old = values.old[name]
    return `${name} ${mean.toFixed(4)}${old ? ` (old ${old.mean.toFixed(4)})` : ''}`
  })
  out.fields([
    ['deployment', out.colors.bold(id)],
    ['alias', `${alias}: ${oldCollection} → ${newCollection}`],
    ['status', statusOf(report)],
    ['reason', reason],
    ['stage', stageText(report)],
    [
      'share',
      `${percent(share.configured)} configured, ${percent(share.observed)} observed${share.shadow > 0 ? `, ${share.shadow} % in the shadow` : ''}`,
    ],
    ['new', side(metrics.new)],
    ['old', side(metrics.old)],
    ['values', means.length > 0 ? means.join(', ') : null],
    ['started', instantText(new Date(report.startedAtMs), nowMs)],
    ['finished', finishedAtMs === null ? null : instantText(new Date(finishedAtMs), nowMs)],
  ])
  for (const { atMs, decision } of decisions.slice(-15)) out.line(`  ${whenText(new Date(atMs), nowMs)}  ${decision}`)
}

/** `canary start` */
export function start(
  args: GlobalArgs & { alias: string; collection: string; stages?: string; options?: string; dryRun?: boolean },
): Promise<number> {
  return withDeployments(args, async (session) => {
    const { deployments, out } = session
    const options = {
      ...(args.options === undefined ? {} : objectOf(args.options)),
      ...(args.stages === undefined ? {} : { stages: stagesOf(args.stages) }),
      ...(args.dryRun ? { dryRun: true } : {}),
    }
    const text = `start a canary deployment of "${args.collection}" for the alias "${args.alias}"`
    const entry = { action: 'start-canary', kind: 'alias', names: [args.alias], text }
    const id = await audited(session, entry, () => deployments.startCanary(args.alias, args.collection, options))
    out.data({ id }, () => out.line(`${id} started; arq-ts canary show ${id} --watch follows it`))
    await noteUnserved(session, session.client.queueName)
    return EXIT.ok
  })
}

function objectOf(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // The message below says what is expected.
  }
  throw new CommandError(`--options: expected a JSON object such as '{"minSamples":50}', got '${text}'`)
}

function stagesOf(text: string): { percentage: number; durationMinutes: number }[] {
  return text.split(',').map((part) => {
    const [, percentage, time] = /^\s*(\d+(?:\.\d+)?)\s*%?\s*:\s*(\S.*?)\s*$/.exec(part) ?? []
    if (percentage === undefined)
      throw new CommandError(`--stages: expected percentage:duration such as 5:30m, got '${part}'`)
    return { percentage: Number(percentage), durationMinutes: duration(time!) / 60_000 }
  })
}

interface ActArgs {
  reason?: string
  /** Counted from 1, as it is shown. */
  stage?: number
}

const change =
  (verb: string, words: string, act: (deployments: Deployments, id: string, args: ActArgs) => Promise<void>) =>
  (args: GlobalArgs & ActArgs & { deployment: string }): Promise<number> =>
    withDeployments(args, async (session) => {
      const { deployments, out } = session
      const { id } = await find(deployments, args.deployment)
      const text = `${verb} the deployment "${id}"`
      const entry = { action: 'steer-canary', kind: 'deployment', names: [id], text }
      await audited(session, entry, () => act(deployments, id, args))
      const { reason, status } = await find(deployments, id)
      out.data({ id, status, reason }, () => out.line(`${id} ${words}`))
      return EXIT.ok
    })

/** `canary approve` */
export const approve = change('approve', 'is approved to leave its stage', (deployments, id, { stage }) =>
  deployments.approve(id, stage === undefined ? {} : { stage: stage - 1 }),
)
/** `canary pause` */
export const pause = change('pause', 'is paused; its share stays', (deployments, id) => deployments.pause(id))
/** `canary resume` */
export const resume = change('resume', 'resumed; its stage begins anew', (deployments, id) => deployments.resume(id))
/** `canary promote` */
export const promote = change('promote', 'is being promoted', (deployments, id) => deployments.promote(id))
/** `canary rollback` */
export const rollback = change(
  'rollback',
  'is being rolled back; no traffic goes to the new collection any more',
  (deployments, id, { reason }) => deployments.rollback(id, reason),
)

/** Finds a deployment by its id, or the one that an alias has under way. @throws CommandError where there is none. */
async function find(deployments: Deployments, name: string): Promise<Report> {
  const report = await deployments.status(name)
  if (report !== null) return report
  const ofAlias = (await deployments.active()).find(({ alias }) => alias === name)
  if (ofAlias) return ofAlias
  const reasons = await unreadable(deployments)
  throw new CommandError(
    [
      `there is no deployment '${name}', and no alias '${name}' has one under way; arq-ts canary ls lists them`,
      ...reasons,
    ].join('\n'),
    EXIT.no,
  )
}

/** The reasons of deployments of the first page that cannot be read. */
async function unreadable(deployments: Deployments): Promise<string[]> {
  return (await deployments.list()).unreadable.map(({ reason }) => reason)
}
