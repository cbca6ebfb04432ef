import { readFileSync } from 'node:fs'
import { takeDatabase } from '@arq-ts/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pythonProducer } from '../producers.ts'
import { noPython, pythonOf } from '../python.ts'
import { keyDifferences, lineDifferences, readTable, rowOf } from './differences.ts'
import type { Difference } from './differences.ts'
import { observe, Onlooker } from './run.ts'
import { scenarios } from './scenarios.ts'
import type { Scenario } from './scenarios.ts'

const PAGE = 'docs/reference/differences-from-arq.md'

/** Runs the same jobs through arq's worker and ours, and holds every difference against the page of differences. */
export function proveParityWith(version: string): void {
  const title = `arq ${version} and arq-ts, side by side`
  describe(noPython ? `${title} (left out: ${noPython})` : title, { skip: noPython !== undefined }, () => {
    const rows = readTable(readFileSync(new URL(`../../../../${PAGE}`, import.meta.url), 'utf8'))
    const interpreter = pythonOf(version) as string
    const seen: Difference[] = []
    let compared = 0
    let onlooker: Onlooker
    beforeAll(() => {
      onlooker = new Onlooker(interpreter)
    })
    afterAll(() => onlooker?.close())

    describe('say and leave the same, but for the table of differences', { concurrent: true }, () => {
      test.each(Object.entries(scenarios))('%s', { timeout: 120_000 }, async (_, scenario) => {
        const differences = await compare(scenario, { interpreter, onlooker })
        seen.push(...differences)
        compared++
        const unexplained = differences.filter((difference) => !rows.some((row) => row.fits(difference)))
        if (unexplained.length > 0) {
          expect.fail(`${PAGE} has no row for:\n${unexplained.map(rowOf).join('\n')}`)
        }
      })
    })

    test('every row of the table is a difference that was seen', ({ skip }) => {
      if (compared < Object.keys(scenarios).length) skip('not every scenario was compared')
      const unseen = rows.filter((row) => !seen.some((difference) => row.fits(difference)))
      if (unseen.length > 0) {
        expect.fail(`${PAGE} has rows without a difference:\n${unseen.map((row) => row.text).join('\n')}`)
      }
    })
  })
}

async function compare(scenario: Scenario, python: { interpreter: string; onlooker: Onlooker }): Promise<Difference[]> {
  const database = await takeDatabase()
  const { redis, url } = database
  try {
    const producer = await pythonProducer(python.interpreter, url, scenario.codec ?? 'pickle')
    try {
      for (const [id, { call, args, kwargs, options }] of Object.entries(scenario.jobs ?? {})) {
        await producer.enqueueSource(
          { function: call, args: args ?? '()', kwargs: kwargs ?? '{}' },
          { ...options, job_id: id },
        )
      }
      await scenario.seed?.(redis)
    } finally {
      await producer.close()
    }
    const [arq, ours] = await Promise.all([
      observe('arq', scenario, redis, python),
      observe('arq-ts', scenario, redis, python),
    ])
    const jobs = [...new Set([...arq.lines.keys(), ...ours.lines.keys()])]
    const exits = { where: 'exit code', arq: String(arq.exit), ours: String(ours.exit) }
    return [
      ...(exits.arq === exits.ours ? [] : [exits]),
      ...jobs.flatMap((job) => lineDifferences(arq.lines.get(job) ?? [], ours.lines.get(job) ?? [])),
      ...keyDifferences(arq.keys, ours.keys),
    ]
  } finally {
    await database.release()
  }
}
