/** Schedules: arq's cron options and cron expressions, and their ticks. */
export * from './schedule.ts'
export * from './ticks.ts'
