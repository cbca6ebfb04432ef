import type { ScheduleRow, ScheduleRule } from '@arq-ts/dashboard/api'
import { duration } from '../format/duration.ts'
import type { Shape } from '../ui/shapes.ts'

/** The rule of a schedule in words: "0 8 * * *, Europe/Berlin", "every 5 min", "once at …". */
export function ruleWords({ atMs, cron, everyMs, startAtMs, timeZone }: ScheduleRule): string {
  if (cron !== null) return `${cron}, ${timeZone ?? 'UTC'}`
  if (everyMs !== null) return `every ${duration(everyMs)}${startAtMs ? `, from ${instant(startAtMs)}` : ''}`
  return atMs === null ? 'a rule of another version' : `once, ${instant(atMs)}`
}

const instant = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** Shape and word of a schedule's state. */
export function scheduleState({ nextMs, paused, problem }: ScheduleRow): [Shape, string] {
  if (problem !== null) return ['failing', 'does not tick']
  if (paused) return ['paused', 'paused']
  return nextMs === null ? ['open', 'no tick to come'] : ['on-time', 'ticks']
}

/** A rule in the form: its strings, and the kind that applies. */
export interface RuleForm {
  kind: 'cron' | 'every' | 'at'
  cron: string
  timeZone: string
  /** A distance such as "90 s", "5 min", "2 h". */
  every: string
  /** An instant in ISO form, without a zone: UTC. */
  at: string
}

/** The form of a rule. */
export function formOf(rule: ScheduleRule | null): RuleForm {
  return {
    kind: rule === null || rule.cron !== null ? 'cron' : rule.everyMs === null ? 'at' : 'every',
    cron: rule?.cron ?? '0 8 * * *',
    timeZone: rule?.timeZone ?? 'UTC',
    every: rule?.everyMs ? exactSpan(rule.everyMs) : '5 min',
    at: rule?.atMs ? new Date(rule.atMs).toISOString().slice(0, 19) : '',
  }
}

/** The rule of a form as the API takes it, or a sentence about what is wrong. */
export function ruleIn(form: RuleForm, startAtMs: number | null): Record<string, string | number> | string {
  switch (form.kind) {
    case 'cron':
      return form.cron.trim() === ''
        ? 'Expected a cron expression such as 0 8 * * *.'
        : { cron: form.cron.trim(), timeZone: form.timeZone.trim() || 'UTC' }
    case 'every': {
      const everyMs = spanIn(form.every)
      if (everyMs === null) return `Expected a distance such as 90 s, 5 min or 2 h, got ${form.every || 'nothing'}.`
      return { everyMs, ...(startAtMs ? { startAtMs } : {}) }
    }
    case 'at': {
      const atMs = Date.parse(`${form.at}Z`)
      return Number.isNaN(atMs) ? 'Expected a day and a time, in UTC.' : { atMs }
    }
  }
}

const units: Record<string, number> = { ms: 1, s: 1_000, min: 60_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A span such as "1 h 30 min" in ms; null for any other string. */
export function spanIn(text: string): number | null {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)\s*/gy)]
  if (parts.length === 0 || parts.reduce((sum, [part]) => sum + part.length, 0) !== text.trim().length) return null
  const sum = parts.reduce((total, [, value, unit]) => total + Number(value) * (units[unit!] ?? NaN), 0)
  return Number.isFinite(sum) ? Math.round(sum) : null
}

/** A span that `spanIn` reads as the same number of ms. */
function exactSpan(ms: number): string {
  const parts: string[] = []
  let rest = ms
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
    ['ms', 1],
  ] as const) {
    const many = Math.floor(rest / size)
    if (many > 0) parts.push(`${many} ${unit}`)
    rest -= many * size
  }
  return parts.join(' ')
}
