import { fileURLToPath } from 'node:url'
import { Child } from '@arq-ts/test-support'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextTick, parseSchedule } from '../../src/cron/index.ts'

const noPython = process.env.ARQ_TEST_NO_PYTHON
const seed = Number(process.env.ARQ_TEST_SEED ?? Date.now() % 100_000)

/** Each run asks others; the schedules of cron-oracle.test.ts are compared with arq too. ARQ_TEST_CRON_QUESTIONS asks for more. */
const count = Number(process.env.ARQ_TEST_CRON_QUESTIONS ?? 1_000)

/** One value or several of a range. */
const field = (min: number, max: number) =>
  fc.oneof(fc.integer({ min, max }), fc.uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: 4 }))

const options = fc.record(
  {
    month: field(1, 12),
    day: field(1, 28),
    weekday: field(0, 6),
    hour: field(0, 23),
    minute: field(0, 59),
    second: field(0, 59),
    microsecond: fc.oneof(fc.integer({ min: 0, max: 999_999 }), fc.constantFrom(500, 1_500, 796_500, 999_500)),
  },
  { requiredKeys: [] },
)

/** Zones without daylight saving (arq doubles or skips ticks at its changes; ours is a table in the unit tests). */
const zone = fc.constantFrom('UTC', 'Asia/Kolkata', 'Asia/Tokyo', 'America/Phoenix', 'Asia/Kathmandu')
const question = fc.tuple(options, fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2035, 0, 1) }), zone)

describe.skipIf(noPython !== undefined)(
  `cron compared with arq's next_cron (seed ${seed})${noPython ? `, left out: ${noPython}` : ''}`,
  () => {
    test('gives the same ticks for any schedule', async () => {
      const script = fileURLToPath(new URL('next_cron.py', import.meta.url))
      const child = new Child(process.env['ARQ_TEST_PYTHON_0.26.1'] as string, [script], { stdin: true })
      const questions = fc.sample(question, { seed, numRuns: count })
      for (const asked of questions) child.write(JSON.stringify(asked))
      child.process.stdin?.end()
      expect(await child.exited).toBe(0)
      const answers = child.lines.map(Number)
      const ours = questions.map(([given, after, zoneName]) => nextTick(parseSchedule(given), after, zoneName))
      const differ = questions
        .map((asked, i) => ({ asked, arq: answers[i], ours: ours[i] }))
        .filter(({ arq, ours: mine }) => arq !== mine)
      expect(differ.slice(0, 3), `${differ.length} of ${questions.length} differ`).toEqual([])
    })
  },
)
