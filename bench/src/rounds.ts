import type { Contender } from './contenders.ts'
import { noiseProbe } from './noise.ts'
import { summarise } from './stats.ts'
import type { Summary } from './stats.ts'

/** Named figures of one measurement. */
export type Figures = Record<string, number>

/** Results of one contender in one row. */
export interface Cell {
  contender: string
  /** Results by figure; the row's own figure is `value`. Absent where it could not be measured. */
  figures?: Record<string, Summary>
  why?: string
}

/**
 * Measures each contender in turn, round by round, each round starting with another, so that a machine that slows down
 * slows down all of them alike.
 */
export async function inRounds(
  rounds: number,
  contenders: readonly Contender[],
  measure: (contender: Contender, round: number, index: number) => Promise<Figures>,
  say: (line: string) => void,
): Promise<Cell[]> {
  const figures = new Map<string, Figures[]>(contenders.map(({ name }) => [name, []]))
  const faults = new Map<string, string>()
  noiseProbe.begin()
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (turn + round) % contenders.length
      const contender = contenders[index]!
      const { name } = contender
      if (faults.has(name)) continue
      await noiseProbe.look()
      try {
        const found = await measure(contender, round, index)
        figures.get(name)!.push(found)
        say(`round ${round + 1} of ${rounds}  ${name.padEnd(22)} ${rounded(found['value']!)}`)
      } catch (error) {
        faults.set(name, (error as Error).message.split('\n').slice(0, 3).join(' '))
        say(`round ${round + 1} of ${rounds}  ${name.padEnd(22)} left out: ${faults.get(name)}`)
      }
    }
  }
  return contenders.map(({ name }) => {
    const all = figures.get(name)!
    const why = faults.get(name)
    if (why !== undefined || all.length === 0) return { contender: name, why: why ?? 'not measured' }
    const names = Object.keys(all[0]!)
    return {
      contender: name,
      figures: Object.fromEntries(names.map((key) => [key, summarise(all.map((each) => each[key]!))])),
    }
  })
}

/** Three digits that count, with separators. */
export function rounded(value: number): string {
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toLocaleString('en', { maximumFractionDigits: Math.min(digits, 3) })
}
