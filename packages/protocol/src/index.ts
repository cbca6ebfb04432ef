/** The wire protocol without any I/O: for monitors, tests and tools of your own. */
export { toRemoteError } from './values/exceptions.ts'
export {
  codecOf,
  decodeJob,
  decodeResult,
  decodeValue,
  encodeJob,
  encodeResult,
  encodeValue,
  healthLine,
  parseHealthLine,
  retryDelayMs,
  statusOf,
} from './checked.ts'
export type { HealthCounts } from './jobs/health.ts'
export * from './jobs/keys.ts'
export type { CodecName, JobRecord, ResultRecord } from './jobs/records.ts'
export type { RetryPolicy } from './jobs/retry-policy.ts'
export type { JobStatus, ObservedJob } from './jobs/status.ts'
export { MAX_DECODED_BYTES, MAX_DEPTH, MAX_PAYLOAD_BYTES } from './values/limits.ts'
export type { PayloadLimits } from './values/limits.ts'
export * from './values/values.ts'
