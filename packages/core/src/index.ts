export { Client } from './client/client.ts'
export type { EnqueueItem, EnqueueOutcome, EnqueueRest } from './client/client.ts'
export type { ChunkContext, ChunkJob, ChunkOptions, ChunkResults } from './chunks/chunk.ts'
export { cron } from './cron/cron.ts'
export type { CronJob, CronJobOptions } from './cron/cron.ts'
export { CronJobs } from './fleet/cron-jobs.ts'
export type { CronActOptions } from './fleet/cron-jobs.ts'
export type { CronPause, ListedCron } from './cron/listed-cron.ts'
export { cronOf, ticksBetween } from './cron/served-cron.ts'
export type { ServedCron } from './cron/served-cron.ts'
export type { CronHistory, JudgedTick } from './cron/tick-history.ts'
export { Doctor, KEY_KINDS } from './queues/doctor.ts'
export type { Examination, ExamineOptions } from './queues/doctor.ts'
export type { Finding } from './queues/diagnose.ts'
export * from './errors.ts'
export type { JobEvent, WorkerEventMessage, WorkerEvents } from './fleet/events.ts'
export type { DamagedKey } from './queues/doctor.ts'
export { Workers } from './fleet/workers.ts'
export type { Fleet } from './fleet/live-workers.ts'
export { Jobs } from './jobs/jobs.ts'
export type { MoveOutcome, RemoveOutcome } from './jobs/jobs.ts'
export { DeadLetters } from './jobs/dead-letter-collection.ts'
export type { DeadLetterChoice, RetriedDeadLetters } from './jobs/dead-letter-collection.ts'
export { spanText } from './time/span.ts'
export { JOB_STATES } from './jobs/condition.ts'
export type { EndedState, JobHolder, JobState } from './jobs/condition.ts'
export { groupDead } from './jobs/dead-letters.ts'
export type { DeadFilter, DeadGroup, DeadLetter, DeadLetterSummary } from './jobs/dead-letters.ts'
export type { JobDetails, JobHold, JobTask } from './jobs/details.ts'
export type { Reason } from './jobs/explain.ts'
export type { JobFilter, ListedJob } from './jobs/listing.ts'
export { Reversals } from './jobs/reversals.ts'
export type { FrozenOutcome, JobRemains, SeenJob, ShelfKind } from './jobs/reversals.ts'
export type { JobPageRequest, PagedJob, PageOfJobs } from './jobs/pages.ts'
export { containsText } from './jobs/contains.ts'
export { measureCommands } from './measure.ts'
export type { Attempt, AttemptEnd, Enqueued, Middleware, OutgoingCall, RunContext } from './middleware/middleware.ts'
export { Job } from './jobs/job.ts'
export type { JobInfo, JobResult, WaitOptions } from './jobs/job.ts'
export { checkOptions } from './options/check.ts'
export { repr } from '@arq-ts/protocol/show'
export { jobLogging } from './logging/job-logging.ts'
export type { JobLoggingOptions } from './logging/job-logging.ts'
export { createLogger } from './logging/logger.ts'
export type { Logger, LoggerOptions, LogLevel } from './logging/logger.ts'
export type { ClientOptions } from './options/client.ts'
export type { ClusterTarget, ConnectionOptions } from './options/connection.ts'
export { clientDefaults, workerDefaults } from './options/defaults.ts'
export type { EnqueueOptions } from './options/enqueue.ts'
export type { QueueOptions, StateOf, StateOptions, WorkerOptions, WorkerState } from './options/worker.ts'
export type { CronOptions, Weekday } from '@arq-ts/protocol/cron'
export type { CodecName } from '@arq-ts/protocol/jobs'
export type { RetryPolicy } from '@arq-ts/protocol/jobs'
export type { JobStatus } from '@arq-ts/protocol/jobs'
export * from '@arq-ts/protocol/values'
export { openTelemetry } from './telemetry/open-telemetry.ts'
export { TaskQueueManager } from './manager/manager.ts'
export type { ManagerEnqueueOptions } from './manager/manager.ts'
export type { TaskQueueConfig, TaskQueueInput } from './config/schema.ts'
export type { Unique } from './unique/unique.ts'
export { Limits } from './limits/limits.ts'
export type { LimitJob, LimitStatus } from './limits/limits.ts'
export type { Limit, LimitSettings, Rate } from './limits/limit.ts'
export { flow } from './flows/flow.ts'
export type { Flow } from './flows/flow.ts'
export type { FlowBuilder, FlowCallOptions, FlowStep } from './flows/builder.ts'
export type { FlowOptions } from './flows/flow-options.ts'
export type { FlowGroup, FlowHandle, FlowInput, FlowMember, GivenBy } from './flows/handles.ts'
export { Flows } from './flows/flows.ts'
export type { ListedFlow } from './flows/flows.ts'
export { FlowRun } from './flows/run.ts'
export type { FlowMemberState, FlowMemberStatus, FlowStatus } from './flows/run.ts'
export type { FlowScope } from './flows/scope.ts'
export type { FlowCondition, FlowState, MemberOutcome } from '@arq-ts/protocol/flows'
export { Schedules } from './schedules/schedules.ts'
export type { Schedule, ScheduleOptions } from './schedules/schedule.ts'
export type { Missed } from './schedules/tick-plan.ts'
export { Queues } from './queues/queues.ts'
export { fingerprintOf as errorFingerprint, normalise as normaliseError } from './recorder/fingerprint.ts'
export type { JobEventOptions } from './progress/job-events.ts'
export type { JobLogEntry, RecordedLevel } from './progress/job-log.ts'
export { History } from './recorder/history.ts'
export type { RecordedFunction, SeriesResult, Totals } from './recorder/history.ts'
export type { Heatmap } from './recorder/heatmap.ts'
export { METRICS } from './recorder/metrics.ts'
export type { CountMetric, GaugeMetric, LatencyMetric, Metric } from './recorder/metrics.ts'
export type { Counts, Dimension, HistoryFilter, HistoryRange, Latency, LineKey } from './recorder/query.ts'
export type {
  AuditEntry,
  ErrorGroup,
  ErrorState,
  LeftOut,
  RecentJob,
  RecordedEvent,
  RecordedTick,
  RecordedTry,
} from './recorder/records.ts'
export type { DeclaredLimit, FunctionDefinition } from './recorder/function-definitions.ts'
export type { CountName } from './recorder/measures.ts'
export type { Language } from './recorder/series-name.ts'
export type { QueueSearch, QueueStats } from './queues/queues.ts'
export type { SandboxContext, SandboxHandler, SandboxOptions, SandboxStats } from './sandbox/sandbox.ts'
export { defineTask, implement } from './tasks/task.ts'
export { defineContract, pythonTask } from './tasks/define.ts'
export type { JobContext } from './tasks/context.ts'
export type {
  AnyContract,
  CallOf,
  Contract,
  EmitsOf,
  EmittedOf,
  HandlerCall,
  InputOf,
  Needs,
  PackedCall,
  ResultOf,
  TaskContract,
  WireValue,
} from './tasks/contract.ts'
export type { Schema, SchemaInput, SchemaOutput } from './tasks/schema.ts'
export type { AnyTask, RunnableTask, Task, TaskOptions } from './tasks/task.ts'
export type {
  CreateMetrics,
  CreateTasks,
  MetricsOfPackage,
  TaskEnvironment,
  TaskPackage,
} from './tasks/task-package.ts'
export type { Counters, PythonWorker, UnreadableWorker, WorkerInfo } from './fleet/worker-info.ts'
export { Worker } from './worker/worker.ts'
