/** Wall clocks of time zones. */
export { changeBetween, instantOf, isTimeZone, offsetAt, systemTimeZone } from './time-zone.ts'
