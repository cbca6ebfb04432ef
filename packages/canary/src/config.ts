/** The deployment as the Python application writes it, and the options it may be given. */
import { z } from 'zod'
import { NOTHING_YET } from './judging/accumulation.ts'
import { isValueName, VALUE_NAME } from './value-names.ts'
import { EVENT_TYPES } from './types.ts'
import type { Deployment, EventType, Rules, Stage } from './types.ts'

const NAME = 'Expected 1 to 255 letters, digits, underscores or hyphens'
/** Names of collections and aliases: the Python application's rule. */
export const nameSchema = z.string(NAME).regex(/^[a-zA-Z0-9_-]{1,255}$/, NAME)
const share = z.number().min(0).max(1)
const minutes = z.number().min(0).max(525_960)
const httpUrl = z.url({ protocol: /^https?$/, error: 'Expected a URL such as https://example.com/canary' })

/** Default stages: 5 % for half an hour, 25 % for one, 50 % for two, then all. */
export const DEFAULT_STAGES: readonly Stage[] = (
  [
    [5, 30],
    [25, 60],
    [50, 120],
    [100, 0],
  ] as const
).map(([percentage, durationMinutes]) => ({ percentage, durationMinutes, errorThreshold: 0.05, latencyThreshold: 200 }))

const stageSchema = z.looseObject({
  percentage: z.number().min(0).max(100),
  duration_minutes: minutes,
  error_threshold: share.default(0.05),
  latency_threshold: z.number().positive().default(200),
  shadow: z.number().min(0).max(100).optional(),
  approval: z.boolean().optional(),
})

/** `deployment_config` of `run_canary_deployment`. Unknown fields are left alone. */
export const deploymentConfigSchema = z
  .looseObject({
    alias: nameSchema,
    old_collection: nameSchema,
    new_collection: nameSchema,
    stages: z.array(stageSchema).min(1).max(100),
    current_stage: z.number().int().min(0).default(0),
  })
  .refine(({ current_stage, stages }) => current_stage < stages.length, {
    path: ['current_stage'],
    error: ({ input }) => {
      const { stages } = input as { stages: unknown[] }
      return `Expected one of the ${stages.length} stages, counted from 0`
    },
  })

export type DeploymentConfig = z.output<typeof deploymentConfigSchema>

const baselineSchema = z.strictObject({
  maxErrorRateIncrease: share.default(0.02),
  maxLatencyRatio: z.number().min(1).default(1.5),
  minLatencyIncreaseMs: z.number().min(0).default(20),
})

const guardSchema = z
  .strictObject({
    metric: z
      .string()
      .regex(VALUE_NAME, 'Expected 1 to 64 letters, digits, dots, underscores or hyphens')
      .refine(isValueName, 'Expected a name that no object of JavaScript has'),
    min: z.number().optional(),
    max: z.number().optional(),
    maxDropFromOld: share.optional(),
  })
  .refine(({ max, maxDropFromOld, min }) => (min ?? max ?? maxDropFromOld) !== undefined, {
    error: 'Expected at least one of `min`, `max` and `maxDropFromOld`',
  })

const checkSchema = z.strictObject({
  name: z.string().min(1).max(64),
  url: httpUrl.optional(),
  timeoutMs: z.number('Expected a number of milliseconds').int().min(1).max(30_000).default(5_000),
})

/** Events that `notify` sends unless it says which. */
const WORTH_WAKING: EventType[] = [
  'waiting_for_approval',
  'paused',
  'completed',
  'failed',
  'rolled_back',
  'rollback_failed',
]

const notifySchema = z.strictObject({
  url: httpUrl,
  on: z
    .array(z.enum(EVENT_TYPES))
    .min(1)
    .default(() => [...WORTH_WAKING]),
})

/** Options other than the stages: the criteria of a stage. */
export const rulesSchema = z.strictObject({
  minSamples: z.number().int().min(1).default(20),
  minObservedShare: share.default(0.5),
  failureLimit: z.number().int().min(0).max(1_000).default(0),
  initialDelayMinutes: minutes.default(0),
  inconclusive: z.enum(['hold', 'pause', 'proceed', 'fail']).optional(),
  /** The name of `inconclusive` until 0.1; still taken. */
  onNoTraffic: z.enum(['hold', 'proceed', 'fail']).optional(),
  holdMinutes: minutes.default(1_440),
  baseline: baselineSchema.nullable().prefault({}),
  guards: z.array(guardSchema).max(20).default([]),
  checks: z
    .array(checkSchema)
    .max(10)
    .refine((checks) => new Set(checks.map(({ name }) => name)).size === checks.length, 'Expected names that differ')
    .default([]),
  notify: z.array(notifySchema).max(10).default([]),
  dryRun: z.boolean().default(false),
})

/** Options as they may be given. */
export type RulesInput = z.input<typeof rulesSchema>

/** Rules from checked options. */
export function rulesOf({ inconclusive, onNoTraffic, ...rest }: z.output<typeof rulesSchema>): Rules {
  return {
    ...rest,
    inconclusive: inconclusive ?? onNoTraffic ?? 'hold',
    guards: rest.guards.map((guard) => withoutUndefined(guard)),
    checks: rest.checks.map((check) => withoutUndefined(check)),
  }
}

export const startSchema = z.strictObject({
  ...rulesSchema.shape,
  autoRollback: z.boolean().default(true),
  stages: z
    .array(
      z.strictObject({
        percentage: z.number().int('Expected a whole number: users are divided into hundredths').min(0).max(100),
        durationMinutes: minutes,
        errorThreshold: share.default(0.05),
        latencyThreshold: z.number().positive().default(200),
        shadow: z.number().min(0).max(100).optional(),
        approval: z.boolean().optional(),
      }),
    )
    .min(1)
    .max(100)
    .optional(),
})

/** Parts of a deployment. */
export type DeploymentRequest = Pick<
  Deployment,
  'id' | 'alias' | 'oldCollection' | 'newCollection' | 'stages' | 'currentStage' | 'autoRollback' | 'rules'
>

/** Initial state of a new deployment, without the parts that it is made of. */
const BLANK = {
  status: 'queued',
  begunAtMs: null,
  stageStartedAtMs: null,
  warmingUntilMs: null,
  lostMs: 0,
  heldSince: null,
  accumulated: NOTHING_YET,
  stageMarks: [],
  looks: 0,
  failedLooks: 0,
  approvedStage: null,
  finishedAtMs: null,
  reason: null,
  ending: null,
  endingSinceMs: null,
  endingFailures: 0,
  final: null,
  tick: 0,
  decisions: [],
  outbox: [],
} as const satisfies Partial<Record<keyof Deployment, unknown>>

/** A deployment that has not begun, asked for by a job. */
export function newDeployment(request: DeploymentRequest, jobId: string, nowMs: number): Deployment {
  const blank = { ...BLANK, stageMarks: [], decisions: [], outbox: [] }
  return { ...blank, ...request, startedAtMs: nowMs, nextTickAtMs: nowMs, askedBy: [jobId] }
}

/** A state as it was read, with what an earlier version did not write. */
export function completeState(stored: Deployment): Deployment {
  const { accumulated = NOTHING_YET, heldSince = {}, lostMs = 0 } = stored as Partial<Deployment>
  if (stored.rules.guards) return { ...stored, accumulated, heldSince, lostMs }
  const rules = rulesOf(rulesSchema.parse(stored.rules))
  // Its marks cannot be read any more: a stage that was under way begins anew.
  return { ...BLANK, ...stored, rules, stageMarks: [], outbox: [], stageStartedAtMs: null }
}

/** Reads the request of a job. */
export function requestOf(
  id: string,
  config: DeploymentConfig,
  autoRollback: boolean,
  rules: Rules,
): DeploymentRequest {
  return {
    id,
    alias: config.alias,
    oldCollection: config.old_collection,
    newCollection: config.new_collection,
    stages: config.stages.map(
      ({ approval, duration_minutes, error_threshold, latency_threshold, percentage, shadow }) =>
        withoutUndefined({
          percentage: Math.ceil(percentage), // as its routers decide: users are divided into hundredths
          durationMinutes: duration_minutes,
          errorThreshold: error_threshold,
          latencyThreshold: latency_threshold,
          shadow,
          approval,
        }),
    ),
    currentStage: config.current_stage,
    autoRollback,
    rules,
  }
}

/** The same as the Python application has it, for the job. Python knows neither shadow nor approval. */
export function configOf(deployment: Deployment): Record<string, unknown> {
  return {
    alias: deployment.alias,
    old_collection: deployment.oldCollection,
    new_collection: deployment.newCollection,
    stages: deployment.stages.map((stage) =>
      withoutUndefined({
        percentage: stage.percentage,
        duration_minutes: stage.durationMinutes,
        error_threshold: stage.errorThreshold,
        latency_threshold: stage.latencyThreshold,
        shadow: stage.shadow,
        approval: stage.approval,
      }),
    ),
    current_stage: deployment.currentStage,
    metrics: { latency: [], error_rate: [], success_count: 0, error_count: 0, stage_start_time: null },
    start_time: deployment.startedAtMs / 1_000,
    status: deployment.status,
  }
}

/** A copy without the keys that are undefined. */
export function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}
