/** The deployment as the Python application writes it, and the options it may be given. */
import { z } from 'zod'
import type { Deployment, Rules, Stage } from './types.ts'

const NAME = 'Expected 1 to 255 letters, digits, underscores or hyphens'
/** What a collection or an alias may be called: the Python application's rule. */
export const nameSchema = z.string(NAME).regex(/^[a-zA-Z0-9_-]{1,255}$/, NAME)
const share = z.number().min(0).max(1)

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
  duration_minutes: z.number().min(0).max(525_960),
  error_threshold: share.default(0.05),
  latency_threshold: z.number().positive().default(200),
})

/** `deployment_config` of `run_canary_deployment`. What is not known here is left alone. */
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

/** Options beside the stages: what decides a stage. */
export const rulesSchema = z.strictObject({
  minSamples: z.number().int().min(1).default(20),
  onNoTraffic: z.enum(['hold', 'proceed', 'fail']).default('hold'),
  holdMinutes: z.number().min(0).max(525_960).default(1_440),
  baseline: z
    .strictObject({
      maxErrorRateIncrease: share.default(0.02),
      maxLatencyRatio: z.number().min(1).default(1.5),
    })
    .nullable()
    .default(null),
})

export const startSchema = z.strictObject({
  ...rulesSchema.shape,
  autoRollback: z.boolean().default(true),
  stages: z
    .array(
      z.strictObject({
        percentage: z.number().min(0).max(100),
        durationMinutes: z.number().min(0).max(525_960),
        errorThreshold: share.default(0.05),
        latencyThreshold: z.number().positive().default(200),
      }),
    )
    .min(1)
    .max(100)
    .optional(),
})

/** What a deployment is made of. */
export type Asked = Pick<
  Deployment,
  'id' | 'alias' | 'oldCollection' | 'newCollection' | 'stages' | 'currentStage' | 'autoRollback' | 'rules'
>

/** A deployment that has not begun, asked for by a job. */
export function newDeployment(asked: Asked, jobId: string, nowMs: number): Deployment {
  return {
    ...asked,
    status: 'queued',
    startedAtMs: nowMs,
    begunAtMs: null,
    stageStartedAtMs: null,
    stageMarks: { new: [], old: [] },
    finishedAtMs: null,
    reason: null,
    ending: null,
    endingSinceMs: null,
    endingFailures: 0,
    tick: 0,
    nextTickAtMs: nowMs,
    askedBy: [jobId],
    decisions: [],
  }
}

/** What a job asks for. */
export function askedBy(id: string, config: DeploymentConfig, autoRollback: boolean, rules: Rules): Asked {
  return {
    id,
    alias: config.alias,
    oldCollection: config.old_collection,
    newCollection: config.new_collection,
    stages: config.stages.map((stage) => ({
      percentage: stage.percentage,
      durationMinutes: stage.duration_minutes,
      errorThreshold: stage.error_threshold,
      latencyThreshold: stage.latency_threshold,
    })),
    currentStage: config.current_stage,
    autoRollback,
    rules,
  }
}

/** The same as the Python application has it, for the job. */
export function configOf(deployment: Deployment): Record<string, unknown> {
  return {
    alias: deployment.alias,
    old_collection: deployment.oldCollection,
    new_collection: deployment.newCollection,
    stages: deployment.stages.map((stage) => ({
      percentage: stage.percentage,
      duration_minutes: stage.durationMinutes,
      error_threshold: stage.errorThreshold,
      latency_threshold: stage.latencyThreshold,
    })),
    current_stage: deployment.currentStage,
    metrics: { latency: [], error_rate: [], success_count: 0, error_count: 0, stage_start_time: null },
    start_time: deployment.startedAtMs / 1_000,
    status: deployment.status,
  }
}
