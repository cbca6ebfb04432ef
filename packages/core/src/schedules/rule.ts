/** Rules of schedules: when they tick. Each tick follows from the rule and the clock, never from the tick before. Pure. */

import { nextTick, parseSchedule } from '@arq-ts/protocol/cron'
import { isTimeZone } from '@arq-ts/protocol/time'
import { OptionsError } from '../errors.ts'

/** The least distance of two ticks, in ms. */
export const MIN_EVERY_MS = 1_000

/** Rule by which a schedule ticks, as it is stored. */
export type Rule =
  | { kind: 'cron'; cron: string; timeZone: string }
  | { kind: 'every'; everyMs: number; startMs: number }
  | { kind: 'at'; atMs: number }

/** The first tick after an instant, in unix ms; null when there is none. */
export type NextTick = (afterMs: number) => number | null

/** The options of a rule, checked one by one. */
export interface RuleOptions {
  cron?: string | undefined
  everyMs?: number | undefined
  at?: Date | number | undefined
  startAt?: Date | number | undefined
  timeZone?: string | undefined
}

/** @throws OptionsError */
export function ruleOf(context: string, { cron, everyMs, at, startAt, timeZone }: RuleOptions): Rule {
  if ([cron, everyMs, at].filter((each) => each !== undefined).length !== 1)
    throw new OptionsError(`${context}: expected one of \`cron\`, \`everyMs\` and \`at\``)
  if (timeZone !== undefined && cron === undefined)
    throw new OptionsError(`${context}: \`timeZone\` is for \`cron\`; \`everyMs\` and \`at\` are instants`)
  if (startAt !== undefined && everyMs === undefined)
    throw new OptionsError(`${context}: \`startAt\` is for \`everyMs\``)
  if (everyMs !== undefined) return { kind: 'every', everyMs, startMs: Math.round(Number(startAt ?? 0)) }
  if (at !== undefined) return { kind: 'at', atMs: Math.round(Number(at)) }
  const zone = timeZone ?? 'UTC'
  if (!isTimeZone(zone))
    throw new OptionsError(
      `${context}: expected \`timeZone\` to be an IANA name such as 'Europe/Berlin', got \`${zone}\``,
    )
  return { kind: 'cron', cron: parseSchedule(cron!).text, timeZone: zone }
}

/** The ticks of a rule. @throws OptionsError for an expression or a zone that this process does not know. */
export function ticksOf(rule: Rule): NextTick {
  switch (rule.kind) {
    case 'cron': {
      const wall = parseSchedule(rule.cron)
      if (!isTimeZone(rule.timeZone)) throw new OptionsError(`expected the name of a zone, got \`${rule.timeZone}\``)
      return (afterMs) => nextTick(wall, afterMs, rule.timeZone)
    }
    case 'every': {
      const { everyMs, startMs } = rule
      return (afterMs) => startMs + Math.max(0, Math.floor((afterMs - startMs) / everyMs) + 1) * everyMs
    }
    case 'at':
      return (afterMs) => (rule.atMs > afterMs ? rule.atMs : null)
  }
}

/** Same for rules that tick alike. */
export function ruleText(rule: Rule): string {
  return JSON.stringify(rule)
}

/** A rule by its text; undefined for what is none. */
export function readRule(text: string): Rule | undefined {
  try {
    const rule = JSON.parse(text) as Partial<Record<string, unknown>>
    const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value)
    if (rule.kind === 'cron' && typeof rule.cron === 'string' && typeof rule.timeZone === 'string') return rule as Rule
    const { everyMs } = rule
    if (rule.kind === 'every' && isNumber(rule.startMs) && isNumber(everyMs) && Number(everyMs) >= MIN_EVERY_MS)
      return rule as Rule
    return rule.kind === 'at' && isNumber(rule.atMs) ? (rule as Rule) : undefined
  } catch {
    return undefined
  }
}
