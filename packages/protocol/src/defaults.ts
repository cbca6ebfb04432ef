/** Defaults of the wire, for processes that read settings and load no codec. */
export { DEFAULT_QUEUE_NAME, EXPIRES_EXTRA_MS } from './jobs/keys.ts'
export { retryDefaults } from './jobs/retry-policy.ts'
export { MAX_DECODED_BYTES, MAX_PAYLOAD_BYTES } from './values/limits.ts'
