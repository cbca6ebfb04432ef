/** Jobs on the wire: their keys, records, states and endings. */
export * from './binding.ts'
export * from './health.ts'
export * from './ids.ts'
export * from './keys.ts'
export * from './lifecycle.ts'
export * from './records.ts'
export * from './retry-policy.ts'
export * from './status.ts'
