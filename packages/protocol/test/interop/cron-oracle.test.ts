import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Child } from '@arq-ts/test-support'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextTick, parseSchedule } from '../../src/cron/index.ts'
import type { CronOptions } from '../../src/cron/index.ts'
import { offsetAt } from '../../src/time/time-zone.ts'

const noPython = process.env.ARQ_TEST_NO_PYTHON
const seed = Number(process.env.ARQ_TEST_SEED ?? Date.now() % 100_000)
/**
 * 500 schedules, 20 zones and 12 years take about half an hour; without this 8 schedules and 3 zones are drawn. `260-280`
 * asks for a part of the schedules only, to replay or to resume a run.
 */
const full = process.env.ARQ_TEST_CRON_FULL
const isFull = full !== undefined && full !== ''
const part = /^(\d+)-(\d+)$/.exec(full ?? '')

/** Every kind of change: by an hour, half an hour, three hours, a day; at midnight; twice a year, four times, once. */
const ZONES = [
  'Europe/Berlin',
  'Europe/Dublin',
  'America/New_York',
  'America/Havana',
  'America/Sao_Paulo',
  'America/Santiago',
  'America/Caracas',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Asia/Beirut',
  'Asia/Tehran',
  'Asia/Amman',
  'Asia/Pyongyang',
  'Europe/Moscow',
  'Europe/Istanbul',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Pacific/Chatham',
  'Antarctica/Troll',
  'Antarctica/Casey',
]
const YEARS = [2011, 2023]
/** Schedules asked for at once. */
const CHUNK = 20

const some = <T>(values: fc.Arbitrary<T>, max = 4) => fc.uniqueArray(values, { minLength: 1, maxLength: max })
const hours = fc.oneof({ weight: 3, arbitrary: fc.nat(4) }, fc.nat(23))
const minutes = fc.oneof(fc.constantFrom(0, 15, 30, 45), fc.nat(59))
const joined = (values: fc.Arbitrary<number>) => some(values).map((all) => all.sort((a, b) => a - b).join())
const any = fc.constant('*')

const expression = fc
  .record({
    minute: fc.oneof(joined(minutes), any, fc.constantFrom('*/30', '*/20', '*/7', '10-40/15')),
    hour: fc.oneof(joined(hours), any, fc.constantFrom('*/2', '*/6', '1-3', '0-23', '*/1', '0-5/2')),
    day: fc.oneof({ weight: 8, arbitrary: any }, joined(fc.integer({ min: 1, max: 31 })), fc.constant('L')),
    weekday: fc.oneof({ weight: 4, arbitrary: any }, joined(fc.nat(6)), fc.constantFrom('0#1', '0L', '6')),
    month: fc.oneof({ weight: 6, arbitrary: any }, joined(fc.integer({ min: 1, max: 12 }))),
    second: fc.option(joined(fc.nat(59)), { freq: 4 }),
  })
  .map(({ minute, hour, day, weekday, month, second }) =>
    // A day of the month and a weekday together mean different things to different crons.
    [...(second === null ? [] : [second]), minute, hour, weekday === '*' ? day : '*', month, weekday].join(' '),
  )

const options = fc.record(
  {
    month: some(fc.integer({ min: 1, max: 12 }), 8),
    weekday: some(fc.nat(6), 6),
    hour: fc.oneof(hours, some(hours), fc.constant(Array.from({ length: 24 }, (_, i) => i))),
    minute: fc.oneof(minutes, some(minutes)),
    second: fc.oneof(fc.nat(59), some(fc.nat(59))),
    microsecond: fc.constantFrom(0, 500, 123_456, 999_500),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<CronOptions>

interface Answer {
  schedule: number
  zone: string
  ticks: [afterMs: number, ticks: number[]][]
  cronsim: [changeMs: number, documented: number[], own: number[]][]
}

/** The rows of the table in cron.md that say where cronsim, which does as Debian's cron, differs. */
const KINDS = {
  'hours written out': (_minute: string, hour: string, fields: number) => fields === 5 && hour === '0-23',
  'seconds in a named hour': (_minute: string, hour: string, fields: number) =>
    fields === 6 && hour !== '*' && hour !== '*/1',
  'open minutes or stepped hours': (minute: string, hour: string) =>
    hour !== '*' && hour !== '*/1' && (minute.startsWith('*') || hour.startsWith('*')),
  'left out': (minute: string, hour: string) => !minute.startsWith('*') && !hour.startsWith('*'),
}
const kindOf = (text: string): string | undefined => {
  const fields = text.split(' ')
  const [minute, hour] = fields.slice(-5) as [string, string]
  return Object.entries(KINDS).find(([, matches]) => matches(minute, hour, fields.length))?.[0]
}

describe.skipIf(noPython !== undefined)(
  `cron around clock changes, compared with cronsim, arq and zoneinfo (seed ${seed})${noPython ? `, left out: ${noPython}` : ''}`,
  () => {
    test(
      'gives the documented ticks for random schedules in 20 zones, and differs from cronsim only as cron.md says',
      { timeout: isFull ? 14_400_000 : 300_000 },
      async () => {
        const half = isFull ? 250 : 4
        const zones = isFull
          ? ZONES
          : fc.sample(fc.shuffledSubarray(ZONES, { minLength: 3, maxLength: 3 }), { seed, numRuns: 1 })[0]
        const schedules = [
          ...fc.sample(expression, { seed, numRuns: half }),
          ...fc.sample(options, { seed: seed + 1, numRuns: half }),
        ]
          .filter((schedule) => doesCome(schedule))
          .slice(...(part ? [Number(part[1]), Number(part[2])] : []))
        const met = new Set<string | undefined>()
        const wrong: unknown[] = []
        let asked = 0
        for (let from = 0; from < schedules.length; from += CHUNK) {
          const chunk = schedules.slice(from, from + CHUNK)
          for (const answer of await askPython(chunk, zones!)) {
            const given = chunk[answer.schedule]!
            asked += answer.ticks.length
            wrong.push(...wrongTicks(given, answer))
            for (const difference of answer.cronsim) {
              const kind = isPartOfAnHour(answer.zone, difference) ? 'part of an hour' : kindOf(given as string)
              met.add(kind)
              if (!isExpected(kind, answer.zone, difference)) wrong.push({ given, zone: answer.zone, difference })
            }
          }
          if (isFull)
            console.log(
              `cron: ${from + chunk.length} of ${schedules.length} schedules, ${wrong.length} wrong`,
              wrong.at(-1),
            )
        }
        console.log(`cron: ${asked} questions, seed ${seed}; cronsim differs in: ${[...met].join(', ')}`)
        expect(wrong.slice(0, 3), `${wrong.length} of ${asked} differ`).toEqual([])
        const page = readFileSync(new URL('../../../../docs/guides/cron.md', import.meta.url), 'utf8')
        expect(
          [...met].filter((kind) => !page.includes(`| ${kind} |`)),
          'kinds without a row in cron.md',
        ).toEqual([])
        if (isFull && !part) expect([...met].sort()).toEqual([...Object.keys(KINDS), 'part of an hour'].sort())
      },
    )
  },
)

/** Answers for some schedules; the zones' changes are those that we know. */
async function askPython(schedules: unknown[], zones: string[]): Promise<Answer[]> {
  const script = fileURLToPath(new URL('cron_oracle.py', import.meta.url))
  const child = new Child(process.env.ARQ_TEST_PYTHON_CRON as string, [script], { stdin: true })
  child.write(JSON.stringify({ schedules, zones, years: YEARS }))
  child.process.stdin?.end()
  expect(await child.exited, child.lines.slice(-5).join('\n')).toBe(0)
  const lines = child.lines.map((line) => JSON.parse(line) as Answer & { changes?: [number, number, number][] })
  const changes = lines.filter((line) => line.changes)
  expect(changes.flatMap((line) => line.changes)).not.toHaveLength(0)
  for (const { zone, changes: all } of changes)
    for (const [at, before, after] of all!)
      expect([offsetAt(at - 1000, zone), offsetAt(at, zone)], `${zone} ${at}`).toEqual([before, after])
  return lines.filter((line) => !line.changes)
}

function wrongTicks(given: string | CronOptions, { zone, ticks }: Answer): unknown[] {
  const schedule = parseSchedule(given)
  return ticks.flatMap(([afterMs, expected]) => {
    let last = afterMs
    const ours = expected.map(() => (last = nextTick(schedule, last, zone) as number))
    const isMore = expected.length === 0 && (nextTick(schedule, afterMs, zone) ?? Infinity) <= afterMs + 30 * 3_600_000
    if (!isMore && ours.every((tick, i) => tick === expected[i])) return []
    return [{ given, zone, after: iso(afterMs), ours: ours.map(iso), expected: expected.map(iso) }]
  })
}

/** A change by half an hour, say: cronsim steps over a tick at the very moment of it. */
function isPartOfAnHour(zone: string, [changeMs]: Answer['cronsim'][number]): boolean {
  return (offsetAt(changeMs, zone) - offsetAt(changeMs - 1000, zone)) % 3_600_000 !== 0
}

/** The row `left out` is about a clock set forward: at one set back both do the same. */
function isExpected(kind: string | undefined, zone: string, [changeMs]: Answer['cronsim'][number]): boolean {
  const isSetBack = offsetAt(changeMs, zone) < offsetAt(changeMs - 1000, zone)
  return kind !== undefined && !(kind === 'left out' && isSetBack)
}

function doesCome(schedule: string | CronOptions): boolean {
  try {
    parseSchedule(schedule)
    return true
  } catch {
    return false
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
