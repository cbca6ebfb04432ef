import { describe, expect, test } from 'vitest'
import { limitsTitle, rateWords } from '../../src/pages/limit-words.ts'
import { formOf, ruleIn, ruleWords, spanIn } from '../../src/pages/schedule-words.ts'
import { nextOrder, ordered, readOrder, slug, writeOrder } from '../../src/ui/table-order.ts'

describe('the order of a table', () => {
  test('goes from a column’s first direction to the other and back to its own', () => {
    const first = nextOrder(null, 'due', true)
    expect(first).toEqual({ column: 'due', falls: true })
    const second = nextOrder(first, 'due', true)
    expect(second).toEqual({ column: 'due', falls: false })
    expect(nextOrder(second, 'due', true)).toBeNull()
    expect(nextOrder(first, 'name', false)).toEqual({ column: 'name', falls: false })
  })

  test('is read as it was written', () => {
    for (const order of [{ column: 'in-min', falls: true }, { column: 'queue', falls: false }, null])
      expect(readOrder(writeOrder(order))).toEqual(order)
    expect(slug('In / min')).toBe('in-min')
  })

  test('puts rows without a value last in both directions, numbers in strings by their size, and keeps equal ones', () => {
    const rows = ['q10', null, 'q9', 'q1']
    expect(ordered(rows, (row) => row, false)).toEqual(['q1', 'q9', 'q10', null])
    expect(ordered(rows, (row) => row, true)).toEqual(['q10', 'q9', 'q1', null])
    const pairs = [
      { a: 1, b: 'x' },
      { a: 1, b: 'y' },
    ]
    expect(ordered(pairs, ({ a }) => a, true)).toEqual(pairs)
  })
})

describe('the rule of a schedule', () => {
  const none = { cron: null, timeZone: null, everyMs: null, startAtMs: null, atMs: null }

  test('equals the rule in its form', () => {
    for (const everyMs of [1_000, 90_000, 5_400_000, 86_400_001]) {
      const rule = { ...none, everyMs }
      expect(ruleIn(formOf(rule), null)).toEqual({ everyMs })
    }
    const cron = { ...none, cron: '15 */2 * * *', timeZone: 'Europe/Berlin' }
    expect(ruleIn(formOf(cron), null)).toEqual({ cron: '15 */2 * * *', timeZone: 'Europe/Berlin' })
    const once = { ...none, atMs: Date.UTC(2030, 0, 2, 3, 4, 5) }
    expect(ruleIn(formOf(once), null)).toEqual({ atMs: once.atMs })
    expect(ruleIn(formOf({ ...none, everyMs: 60_000 }), 30_000)).toEqual({ everyMs: 60_000, startAtMs: 30_000 })
  })

  test('is refused by the form if it is invalid', () => {
    expect(ruleIn({ ...formOf(null), kind: 'every', every: 'often' }, null)).toMatch('Expected a distance')
    expect(ruleIn({ ...formOf(null), kind: 'at', at: '' }, null)).toMatch('Expected a day')
    expect(ruleIn({ ...formOf(null), cron: ' ' }, null)).toMatch('Expected a cron expression')
    expect([spanIn('1 h 30 min'), spanIn('90s'), spanIn('5'), spanIn('5 min x')]).toEqual([
      5_400_000,
      90_000,
      null,
      null,
    ])
  })

  test('is described in words', () => {
    expect(ruleWords({ ...none, everyMs: 300_000 })).toBe('every 5 min')
    expect(ruleWords({ ...none, cron: '0 8 * * *', timeZone: 'UTC' })).toBe('0 8 * * *, UTC')
  })
})

describe('the sentence of limits', () => {
  const limit = { name: 'api', key: null, isKeyed: false, waiting: 0, running: 0 } as never
  test('names the one that holds jobs back', () => {
    expect(limitsTitle([])).toBe('No limit is in force.')
    expect(limitsTitle([limit])).toBe('No limit holds a job back.')
    expect(limitsTitle([limit, { ...(limit as object), key: 'acme', waiting: 2 } as never])).toBe(
      'api:acme holds 2 jobs back.',
    )
  })
  test('describes a rate by its span', () => {
    expect(rateWords({ count: 10, perMs: 1_000 })).toBe('10 a second')
    expect(rateWords({ count: 3, perMs: 90_000, burst: 2 })).toBe('3 in 2 min, up to 2 at once')
  })
})
