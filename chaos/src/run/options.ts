import { parseArgs } from 'node:util'
import { FAULT_KINDS, FAULTS, TOPOLOGIES } from '../plan/faults.ts'
import type { FaultKind, Topology } from '../plan/faults.ts'

/** Settings of a run. */
export interface RunOptions {
  minutes: number
  seed: string
  /** Jobs that producers aim at over the whole run; undefined takes the default rate. */
  jobs: number | undefined
  report: string | undefined
  ledger: string | undefined
  faults: readonly FaultKind[]
  topology: Topology
  leaseMs: number
  python: boolean
  logLevel: string
  plan: boolean
}

/** Jobs per second where `--jobs` is not given: what a shared machine of two cores bears. */
const DEFAULT_RATE = 120

export const USAGE = `npm run chaos -- [options]

Runs a mixed fleet of arq-ts and Python arq under a seeded schedule of faults, drains it, and judges what became of
every job by a ledger on a second Redis. Exit code 1: a bound is broken; 2: the run could not be made.

  --minutes N        duration of faults and producers; default 2
  --seed S           the schedule of faults and the mix of jobs; default: drawn, and printed
  --jobs N           jobs to enqueue over the run; default ${DEFAULT_RATE} a second
  --faults a,b,c     only these kinds; default all
  --topology T       single (default), sentinel or cluster (without Python)
  --lease-ms N       lease of the workers; default 3000
  --no-python        leave Python out
  --report FILE      write the report as JSON
  --ledger FILE      copy the ledger as JSON lines
  --log-level L      of our processes, into .cache/chaos/<seed>; default warn
  --plan             print the schedule of faults and end
  --help             this text

Kinds of faults:
${Object.entries(FAULTS)
  .map(([kind, what]) => `  ${kind.padEnd(10)} ${what}`)
  .join('\n')}`

/** Reads the command line; undefined where help is asked for. @throws Error that names the option */
export function readOptions(args: readonly string[]): RunOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      minutes: { type: 'string', default: '2' },
      seed: { type: 'string' },
      jobs: { type: 'string' },
      faults: { type: 'string' },
      topology: { type: 'string', default: 'single' },
      'lease-ms': { type: 'string', default: '3000' },
      python: { type: 'boolean', default: true },
      report: { type: 'string' },
      ledger: { type: 'string' },
      'log-level': { type: 'string', default: 'warn' },
      plan: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const topology = TOPOLOGIES.find((each) => each === values.topology)
  if (!topology) throw new Error(`--topology: expected one of ${TOPOLOGIES.join(', ')}, got '${values.topology}'`)
  return {
    minutes: positive('--minutes', values.minutes),
    seed: values.seed ?? Math.random().toString(36).slice(2, 8),
    jobs: values.jobs === undefined ? undefined : positive('--jobs', values.jobs),
    report: values.report,
    ledger: values.ledger,
    faults: values.faults === undefined ? FAULT_KINDS : values.faults.split(',').map(faultKind),
    topology,
    leaseMs: positive('--lease-ms', values['lease-ms']),
    python: values.python,
    logLevel: values['log-level'],
    plan: values.plan,
  }
}

/** Jobs that a producer of arq can enqueue next to a busy fleet; ours makes the rest. */
const PYTHON_RATE = 60
/** The mean time that a job of the mix is in its slot, in s, doubled: a fleet that only just suffices falls behind at each fault. */
const SLOT_S = 0.44
const MIN_JOBS = 25
const WORKERS = 3

/** The number of jobs that a run makes, and of those that its workers take. */
export interface Load {
  /** Jobs per second of our producer, and of Python's. */
  rate: number
  pythonRate: number
  /** Jobs at a time for each worker of ours. */
  maxJobs: number
}

/** The load that a run asks for: half of it from Python, as far as that can. */
export function loadOf({ jobs, minutes }: Pick<RunOptions, 'jobs' | 'minutes'>, python: boolean): Load {
  const total = jobs === undefined ? DEFAULT_RATE : jobs / (minutes * 60)
  const pythonRate = python ? Math.min(PYTHON_RATE, total / 2) : 0
  return {
    rate: total - pythonRate,
    pythonRate,
    maxJobs: Math.max(MIN_JOBS, Math.ceil((total * SLOT_S) / WORKERS)),
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`${name}: expected a number above 0, got '${text}'`)
  return value
}

function faultKind(text: string): FaultKind {
  const kind = FAULT_KINDS.find((each) => each === text.trim())
  if (!kind) throw new Error(`--faults: there is no '${text}'; there are ${FAULT_KINDS.join(', ')}`)
  return kind
}
