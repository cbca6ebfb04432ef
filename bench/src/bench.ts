import type { Contenders } from './contenders.ts'
import type { Noise } from './noise.ts'
import type { Cell } from './rounds.ts'
import type { BenchServer } from './server.ts'

/** What a row has to work with. */
export interface Bench {
  server: BenchServer
  contenders: Contenders
  /** Two minutes in all, instead of three quarters of an hour: fewer rounds, fewer contenders, shorter ones. */
  quick: boolean
  /** How often each is measured. */
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
  /** Of the figure `value`. */
  unit: string
  better: 'higher' | 'lower'
  cells: Cell[]
  /** What limits it. */
  limit: string
  /** Other load of the machine; absent in results that were made before it was measured. */
  noise?: Noise
}

export type MeasureRows = (bench: Bench) => AsyncGenerator<Row>
