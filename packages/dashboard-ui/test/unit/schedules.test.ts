import type { ScheduleView, ShownValue } from '@arq-ts/dashboard/api'
import { describe, expect, test } from 'vitest'
import { bodyOf, callOf } from '../../src/pages/schedule-body.ts'

const shown = (json: unknown, more: Partial<ShownValue> = {}): ShownValue => ({
  text: '',
  language: 'json',
  json,
  cut: false,
  redacted: false,
  ...more,
})
const schedule = (more: Partial<ScheduleView> = {}) =>
  ({
    name: 'digest:42',
    functionName: 'send_mail',
    queueName: 'mail',
    overlap: 'skip',
    missed: 'all',
    args: shown(['ada']),
    kwargs: shown({ template: 'digest' }),
    ...more,
  }) as ScheduleView
const rule = { cron: '0 8 * * *', timeZone: 'UTC' }
const body = (of: ScheduleView | null, more: Partial<ReturnType<typeof callOf>>) =>
  bodyOf({ ...callOf(of), ...more }, of, rule)

describe('the form of a schedule', () => {
  test('leaves out the arguments that nobody touched', () => {
    const same = { ...rule, functionName: 'send_mail', queueName: 'mail', overlap: 'skip', missed: 'all' }
    expect(body(schedule(), {})).toEqual(same)
    expect(body(schedule(), { functionName: ' send_mail ' })).toEqual(same)
    expect(body(schedule(), { args: '["bob"]' })).toEqual({ ...same, args: ['bob'] })
    const hidden = schedule({ args: shown(['***'], { redacted: true }) })
    expect(body(hidden, { kwargs: '{}' })).toEqual({ ...same, kwargs: {} })
  })

  test('sends both parts of the arguments to another function, touched or not', () => {
    expect(body(schedule(), { functionName: 'send_letter' })).toMatchObject({
      functionName: 'send_letter',
      args: ['ada'],
      kwargs: { template: 'digest' },
    })
  })

  test.each(['args', 'kwargs'] as const)(
    'asks for the %s of another function where they are not shown in full',
    (part) => {
      for (const reason of ['cut', 'redacted'] as const) {
        const of = schedule({ [part]: shown(part === 'args' ? [] : {}, { [reason]: true }) })
        expect(body(of, { functionName: 'send_letter' })).toMatch('not shown in full')
        const written = part === 'args' ? '["bob"]' : '{"template":"x"}'
        expect(body(of, { functionName: 'send_letter', [part]: written })).toMatchObject({
          [part]: JSON.parse(written),
        })
      }
    },
  )

  test('of a new one refuses a name that is taken, and what is no JSON', () => {
    const fresh = { name: 'new', functionName: 'f' }
    expect(body(null, fresh)).toEqual({ ...rule, functionName: 'f', overlap: 'allow', missed: 'skip', isNew: true })
    expect(body(null, { ...fresh, args: '[' })).toBe('The arguments are no JSON array.')
    expect(body(null, { ...fresh, kwargs: '' })).toBe('The keywords are no JSON object.')
  })
})
