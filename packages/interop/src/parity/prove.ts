import { readFileSync } from 'node:fs'
import { takeDatabase } from '@arq-ts/test-support'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pythonProducer } from '../producers.ts'
import { noPython, pythonOf } from '../python.ts'
import { keyDifferences, lineDifferences, readTable, rowOf } from './differences.ts'
import type { Difference } from './differences.ts'
import { observe, Onlooker } from './run.ts'
import type { Observation } from './run.ts'
import { scenarios } from './scenarios.ts'
import type { Scenario } from './scenarios.ts'

const PAGE = 'docs/reference/differences-from-arq.md'

/**
 * Runs the same jobs through the worker of each arq and ours, and holds every difference against the page of differences.
 * Jobs come from the newest arq's producer, and ours runs them once for all.
 */
export function proveParityWith(...versions: [string, ...string[]]): void {
  const title = `arq ${versions.join(', ')} and arq-ts, side by side`
  describe(noPython ? `${title} (left out: ${noPython})` : title, { skip: noPython !== undefined }, () => {
    const rows = readTable(readFileSync(new URL(`../../../../${PAGE}`, import.meta.url), 'utf8'))
    const seen = new Map(versions.map((version) => [version, new Set<Difference>()]))
    let compared = 0
    let onlooker: Onlooker
    beforeAll(() => {
      onlooker = new Onlooker(pythonOf(versions.at(-1)!)!)
    })
    afterAll(() => onlooker?.close())

    describe('say and leave the same, but for the table of differences', { concurrent: true }, () => {
      test.each(Object.entries(scenarios))('%s', { timeout: 120_000 }, async (_, scenario) => {
        const unexplained: string[] = []
        for (const [version, differences] of await compare(scenario, versions, onlooker)) {
          for (const difference of differences) {
            seen.get(version)!.add(difference)
            if (!rows.some((row) => row.fits(difference))) unexplained.push(`arq ${version}: ${rowOf(difference)}`)
          }
        }
        compared++
        if (unexplained.length > 0) expect.fail(`${PAGE} has no row for:\n${unexplained.join('\n')}`)
      })
    })

    test.for(versions)('every row of the table is a difference that was seen: arq %s', (version, { skip }) => {
      if (compared < Object.keys(scenarios).length) skip('not every scenario was compared')
      const differences = [...seen.get(version)!]
      const unseen = rows.filter((row) => !differences.some((difference) => row.fits(difference)))
      if (unseen.length > 0) {
        expect.fail(`${PAGE} has rows without a difference:\n${unseen.map((row) => row.text).join('\n')}`)
      }
    })
  })
}

async function compare(
  scenario: Scenario,
  versions: readonly string[],
  onlooker: Onlooker,
): Promise<[version: string, Difference[]][]> {
  const database = await takeDatabase()
  const { redis, url } = database
  try {
    const producer = await pythonProducer(pythonOf(versions.at(-1)!)!, url, scenario.codec ?? 'pickle')
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
    const [ours, ...theirs] = await Promise.all([
      observe('arq-ts', scenario, redis, onlooker),
      ...versions.map((version) => observe({ arq: version }, scenario, redis, onlooker)),
    ])
    return versions.map((version, i) => [version, differencesOf(theirs[i]!, ours)])
  } finally {
    await database.release()
  }
}

function differencesOf(arq: Observation, ours: Observation): Difference[] {
  const jobs = [...new Set([...arq.lines.keys(), ...ours.lines.keys()])]
  const exits = { where: 'exit code', arq: String(arq.exit), ours: String(ours.exit) }
  return [
    ...(exits.arq === exits.ours ? [] : [exits]),
    ...jobs.flatMap((job) => lineDifferences(arq.lines.get(job) ?? [], ours.lines.get(job) ?? [])),
    ...keyDifferences(arq.keys, ours.keys),
  ]
}
