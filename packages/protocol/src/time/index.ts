/** Wall clocks of time zones. */
export * from './time-zone.ts'
