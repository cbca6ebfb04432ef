import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hostName, isLoopback } from '../../src/http/guard.ts'
import { inertJson } from '../../src/http/respond.ts'
import { emptiesAt, Pulse } from '../../src/read/pulse.ts'
import { parseQuery } from '../../src/read/query.ts'
import { ticksBetween } from '@arq-ts/core'
import { Replay } from '../../src/stream/replay.ts'

describe('a query', () => {
  test.each([
    ['status:failed,dead queue:mail', { statuses: ['failed', 'dead'], queueNames: ['mail'], text: null }],
    ['function:"send mail" x', { functionName: 'send mail', text: 'x' }],
    ['"two words" http://x.y/z', { text: 'two words http://x.y/z' }],
    ['error:"a \\"quoted\\" one" older:1.5h', { error: 'a "quoted" one', olderThanMs: 5_400_000 }],
    ['queue:a queue:b id:7f', { queueNames: ['a', 'b'], jobId: '7f' }],
    ['', { statuses: [], text: null, problems: [] }],
  ])('%j is understood', (query, expected) => expect(parseQuery(query)).toMatchObject(expected))

  test('is read whatever it holds, and nothing of it is lost without a word', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (query) => {
        const { text, problems } = parseQuery(query)
        expect(problems.every((problem) => problem.length > 0)).toBe(true)
        if (/^\w+$/.test(query)) expect(text).toBe(query)
      }),
    )
  })
})

describe('a host', () => {
  test('is loopback only where no other machine can have its name', () => {
    const foreign = fc.domain().filter((name) => !name.endsWith('localhost'))
    fc.assert(
      fc.property(foreign, (name) => {
        for (const each of [name, `localhost.${name}`, `127.0.0.1.${name}`])
          expect(isLoopback(hostName(each)!)).toBe(false)
      }),
    )
    for (const name of ['a@localhost', 'localhost/x', 'localhost#', 'localhost:99999999', '', 'local host']) {
      expect(hostName(name)).toBeNull()
    }
  })
})

describe('JSON of the API', () => {
  test('reads back as it was, without a character that begins markup', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = inertJson(value)
        expect(text).not.toMatch(/[<>&\u2028\u2029]/)
        expect(JSON.stringify(JSON.parse(text))).toBe(JSON.stringify(value))
      }),
    )
  })
})

describe('rates', () => {
  const stats = (pending: number, complete: number) =>
    ({ queueName: 'q', pending, deferred: 0, running: 0, complete, failed: 0, aborted: 0 }) as Parameters<
      Pulse['note']
    >[0]

  test('are unknown until ten seconds were watched, and follow what was seen', () => {
    const pulse = new Pulse()
    pulse.note(stats(100, 0), 0)
    pulse.note(stats(90, 20), 5_000)
    expect(pulse.rates('q', false)).toBeNull()
    pulse.note(stats(70, 60), 30_000)
    expect(pulse.rates('q', false)).toEqual({ inPerMinute: 60, outPerMinute: 120, netPerMinute: -60, overMs: 30_000 })
    expect(pulse.rates('q', true)).toMatchObject({ inPerMinute: null, outPerMinute: null, netPerMinute: -60 })
    expect(emptiesAt(70, pulse.rates('q', false), 30_000)).toBe(30_000 + 70_000)
  })

  test('say that a queue never empties only where its jobs wait, not where a few are always due', () => {
    const pulse = new Pulse()
    pulse.note(stats(3, 0), 0)
    pulse.note(stats(3, 60), 30_000)
    const rates = pulse.rates('q', false)
    expect(emptiesAt(3, rates, 30_000, true)).toBe('never')
    expect(emptiesAt(3, rates, 30_000, false)).toBeNull()
  })

  test('begin anew where a counter falls, as that of a restarted Python worker does', () => {
    const pulse = new Pulse()
    pulse.note(stats(100, 500), 0)
    pulse.note(stats(100, 3), 20_000)
    expect(pulse.rates('q', false)).toBeNull()
  })

  test('say never only where what is due does not shrink', () => {
    const rates = (netPerMinute: number) => ({ inPerMinute: 0, outPerMinute: 0, netPerMinute, overMs: 60_000 })
    expect(emptiesAt(0, rates(5), 0)).toBe('empty')
    expect(emptiesAt(5, rates(0), 0)).toBe('never')
    expect(emptiesAt(5, null, 0)).toBeNull()
  })
})

describe('ticks', () => {
  test.each(['*/15 * * * *', 'minute=0,15,30,45', 'minute=0,15,30,45 second=0'])('of %j are followed', (schedule) => {
    const hour = 1_900_000_800_000 - (1_900_000_800_000 % 3_600_000)
    const micro = schedule.startsWith('minute') ? 123 : 0
    const { ticks, complete } = ticksBetween({ schedule, nextMs: hour + micro }, hour, hour + 3_600_000)
    expect(complete).toBe(true)
    expect(ticks).toEqual([0, 15, 30, 45].map((minute) => hour + minute * 60_000 + micro))
  })

  test('find the zone by the tick that the worker reports', () => {
    const day = Date.UTC(2030, 0, 10)
    const { ticks } = ticksBetween({ schedule: '0 2 * * *', nextMs: day + 7 * 3_600_000 }, day, day + 2 * 86_400_000)
    expect(ticks).toEqual([day + 7 * 3_600_000, day + 31 * 3_600_000])
  })

  test('of a schedule that nobody reads are the next one alone, and said to be incomplete', () => {
    expect(ticksBetween({ schedule: 'at dawn', nextMs: 5 }, 0, 10)).toEqual({ ticks: [5], complete: false })
  })
})

describe('messages of the stream', () => {
  test('that say the same are sent once, and a late reader gets the newest', () => {
    const replay = new Replay()
    const seen = () => Promise.resolve({})
    const first = replay.add('queues', { nowMs: 1, cost: 1, queues: [] }, seen)!
    expect(replay.add('queues', { nowMs: 2, cost: 5, queues: [] }, seen)).toBeNull()
    const second = replay.add('queues', { nowMs: 3, cost: 1, queues: [1] }, seen)!
    const topics = new Set(['queues'] as const)
    expect(replay.since(null, topics).map(({ id }) => id)).toEqual([second.id])
    expect(replay.since(first.id, topics).map(({ id }) => id)).toEqual([second.id])
    expect(replay.since(second.id, topics)).toEqual([])
    expect(replay.since('elsewhere-1', topics)).toHaveLength(1)
  })
})
