export { DeploymentError } from './deployment-error.ts'
export { CanaryDeployments } from './deployments.ts'
export type { CanaryDeploymentsOptions, StartOptions } from './deployments.ts'
export { ACTS } from './acts.ts'
export type { Act } from './acts.ts'
export type { CountedDetails, MinuteView, WindowView } from './reading/details.ts'
export type { GuardView } from './reading/guard-views.ts'
export type {
  DeploymentDetails,
  DeploymentList,
  DeploymentReport,
  DeploymentSummary,
  MeanOf,
} from './reading/reports.ts'
export type { SideView } from './reading/sides.ts'
export type { Aliases } from './driver.ts'
export { CanaryRouter } from './router.ts'
export type { Caller, CanaryRouterOptions, Decision, HandleOptions, Route } from './router.ts'
export type { RequestOutcome } from './requests.ts'
export { createDeployments, createMetrics, createTasks } from './package.ts'
export { canaryTasks } from './tasks.ts'
export type { CanaryResult, CanaryTasks, CanaryTasksOptions } from './tasks.ts'
export type { CheckContext, CheckFunction } from './look-checks.ts'
export { SIGNATURE_HEADER, signatureOf } from './notifications.ts'
export type { NotifyInput } from './notifications.ts'
export type { RulesInput } from './config.ts'
export { bucketOf } from './sessions.ts'
export { compareRankings } from './shadow.ts'
export type { ShadowOptions } from './shadow.ts'
export type { Accumulated, FailureRun } from './judging/accumulation.ts'
export { EVENT_TYPES } from './types.ts'
export type {
  Baseline,
  Decision as DeploymentDecision,
  Deployment,
  DeploymentStatus,
  EventType,
  Figures,
  Guard,
  LookCheck,
  Mark,
  Metrics,
  Notification,
  Rules,
  Stage,
  StoredTally,
} from './types.ts'
