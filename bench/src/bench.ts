import type { Contenders } from './contenders.ts'
import type { Noise } from './noise.ts'
import type { Cell } from './rounds.ts'
import type { BenchServer } from './server.ts'

/** Tools of a row. */
export interface Bench {
  server: BenchServer
  contenders: Contenders
  /** Two minutes in all, instead of three quarters of an hour: fewer rounds, fewer contenders, shorter ones. */
  quick: boolean
  /** Number of rounds of each. */
  rounds: number
  /** About how long one measurement lasts. */
  seconds: number
  say: (line: string) => void
}

/** One line of the report. */
export interface Row {
  /** Unique: `throughput-100`. */
  id: string
  group: string
  title: string
  /** Statistics of the figure `value`. */
  unit: string
  better: 'higher' | 'lower'
  cells: Cell[]
  /** The limit of this row. */
  limit: string
  /** Other load of the machine; absent in results that were made before it was measured. */
  noise?: Noise
}

export type MeasureRows = (bench: Bench) => AsyncGenerator<Row>
