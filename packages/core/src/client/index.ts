/**
 * The entry of producers, `@arq-ts/core/client`: enqueue jobs, wait for results, look after jobs and queues. It loads no
 * worker, no cron, no configuration, and zod and OpenTelemetry only where the process has them anyway.
 */

export { Client } from './client.ts'
export type { EnqueueItem, EnqueueOutcome, EnqueueRest } from './client.ts'
export * from '../errors.ts'
export { Job } from '../jobs/job.ts'
export type { JobInfo, JobResult, WaitOptions } from '../jobs/job.ts'
export type { JobDetails } from '../jobs/details.ts'
export type { Logger, LogLevel } from '../logging/logger.ts'
export type { Attempt, AttemptEnd, Enqueued, Middleware, OutgoingCall, RunContext } from '../middleware/middleware.ts'
export type { ClientOptions } from '../options/client.ts'
export type { ClusterTarget, ConnectionOptions } from '../options/connection.ts'
export { clientDefaults } from '../options/defaults.ts'
export type { EnqueueOptions } from '../options/enqueue.ts'
export { openTelemetry } from '../telemetry/open-telemetry.ts'
export { spanText } from '../time/span.ts'
export type { QueueStats } from '../queues/queues.ts'
export type { Unique } from '../unique/unique.ts'
export { defineContract, pythonTask } from '../tasks/define.ts'
export type { AnyContract, Contract, EmittedOf, InputOf, ResultOf, TaskContract, WireValue } from '../tasks/contract.ts'
export type { Schema, SchemaInput, SchemaOutput } from '../tasks/schema.ts'
export type { CodecName, JobStatus } from '@arq-ts/protocol/jobs'
export * from '@arq-ts/protocol/values'
