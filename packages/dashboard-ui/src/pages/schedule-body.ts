/** The call of a schedule as its form has it, and the request that the filled form means. Pure. */

import type { SchedulePut, ScheduleView, ShownValue } from '@arq-ts/dashboard/api'

/** The fields of the form, apart from those of the rule. */
export interface CallForm {
  name: string
  functionName: string
  queueName: string
  /** A JSON array. */
  args: string
  /** A JSON object. */
  kwargs: string
  overlap: 'allow' | 'skip'
  missed: 'skip' | 'latest' | 'all'
}

/** The fields of a schedule, or those of a new one. */
export function callOf(schedule: ScheduleView | null): CallForm {
  return {
    name: schedule?.name ?? '',
    functionName: schedule?.functionName ?? '',
    queueName: schedule?.queueName ?? '',
    overlap: schedule?.overlap ?? 'allow',
    missed: schedule?.missed ?? 'skip',
    args: schedule ? textOf(schedule.args) : '[]',
    kwargs: schedule ? textOf(schedule.kwargs) : '{}',
  }
}

/** True where the form names another function than the schedule has. */
export const isRenamed = (call: CallForm, schedule: ScheduleView): boolean =>
  call.functionName.trim() !== schedule.functionName

/**
 * The body of the request, or a sentence about what is wrong. Arguments that were not touched are left out, and stay as they are.
 * Another function keeps none of them by itself, so that nobody reads redacted ones by a change of the name: both parts are sent.
 */
export function bodyOf(
  call: CallForm,
  schedule: ScheduleView | null,
  rule: Record<string, string | number> | string,
): SchedulePut | string {
  if (typeof rule === 'string') return rule
  const { missed, overlap } = call
  const [functionName, queueName] = [call.functionName.trim(), call.queueName.trim()]
  if (call.name.trim() === '') return 'The schedule needs a name.'
  if (functionName === '') return 'The schedule needs a function.'
  const body: SchedulePut = { ...rule, functionName, missed, overlap, ...(schedule === null && { isNew: true }) }
  if (queueName !== '') body.queueName = queueName
  const initial = callOf(schedule)
  for (const part of ['args', 'kwargs'] as const) {
    if (call[part] === initial[part]) {
      if (schedule === null || !isRenamed(call, schedule)) continue
      if (!isWhole(schedule[part])) {
        const what = part === 'args' ? 'arguments' : 'keywords'
        return `The ${what} are not shown in full, so another function cannot take them over; write those that it gets.`
      }
    }
    try {
      body[part] = JSON.parse(call[part]) as never
    } catch {
      return `The ${part === 'args' ? 'arguments are no JSON array' : 'keywords are no JSON object'}.`
    }
  }
  return body
}

/** A value as the form shows it; '' where the page does not have all of it. */
const textOf = (value: ShownValue): string => (isWhole(value) ? JSON.stringify(value.json, null, 2) : '')

const isWhole = ({ cut, redacted }: ShownValue): boolean => !cut && !redacted
