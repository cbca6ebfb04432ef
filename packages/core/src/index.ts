export { Client } from './client.ts'
export type { EnqueueItem, EnqueueOutcome } from './client.ts'
export { cron } from './cron.ts'
export type { CronJob, CronJobOptions } from './cron.ts'
export { Doctor } from './doctor.ts'
export type { Finding } from './doctor.ts'
export * from './errors.ts'
export type { JobEvent, WorkerEventMessage, WorkerEvents } from './events.ts'
export { Inspector } from './inspector.ts'
export type { DeadFilter, DeadLetter, JobDetails, ListedJob } from './inspector.ts'
export { Job } from './job.ts'
export type { JobInfo, JobResult, WaitOptions } from './job.ts'
export { checkOptions } from './options/check.ts'
export { repr } from './log-lines.ts'
export { createLogger } from './logger.ts'
export type { Logger, LoggerOptions, LogLevel } from './logger.ts'
export type {
  ClientOptions,
  ConnectionOptions,
  EnqueueOptions,
  QueueOptions,
  WorkerOptions,
  WorkerState,
} from './options.ts'
export type { CronOptions, Weekday } from './protocol/cron-schedule.ts'
export type { CodecName } from './protocol/records.ts'
export type { RetryPolicy } from './protocol/schedule.ts'
export type { JobStatus } from './protocol/status.ts'
export * from './protocol/values.ts'
export { TaskQueueManager } from './manager.ts'
export type { ManagerEnqueueOptions } from './manager.ts'
export type { TaskQueueConfig, TaskQueueInput } from './config/schema.ts'
export { Queues } from './queues.ts'
export type { QueueStats } from './queues.ts'
export { defineTask } from './task.ts'
export type { AnyTask, InputOf, JobContext, ResultOf, Task, TaskOptions } from './task.ts'
export type { Counters, WorkerEntry } from './worker-entry.ts'
export type { CreateTasks, TaskEnvironment, TaskPackage } from './task-package.ts'
export { Worker } from './worker/worker.ts'
