import { CONNECT_STEPS } from './faults.ts'
import type { Fault, FaultKind, Topology } from './faults.ts'
import { Random } from './random.ts'
import type { Slot } from './slots.ts'

/** Number of cards of each kind in the deck that faults are drawn from: a run of two minutes sees most kinds. */
const DECK: Record<Exclude<FaultKind, 'clock'>, number> = {
  kill: 5,
  stop: 2,
  term: 2,
  cut: 3,
  connect: 4,
  stall: 1,
  delay: 1,
  flush: 2,
  slow: 1,
  oom: 1,
  redis: 2,
  failover: 2,
  migrate: 2,
}

/** Kinds that not every topology knows. */
const ONLY: Partial<Record<FaultKind, readonly Topology[]>> = {
  redis: ['single', 'cluster'],
  failover: ['sentinel'],
  migrate: ['cluster'],
}

/** Share of faults that begin before the one ahead of them is over. */
const OVERLAP = 0.15

/** Share of kills that nothing follows until the leases have lapsed: their recovery is what is measured. */
const QUIET = 0.5

/** Nothing happens while the fleet warms up, in ms. */
export const WARM_UP_MS = 4_000

export interface ScheduleOptions {
  seed: string
  /** Time during which faults occur, in ms. */
  durationMs: number
  kinds: readonly FaultKind[]
  topology: Topology
  slots: readonly Slot[]
  leaseMs: number
}

/**
 * The faults of a run, by their time. The same options give the same schedule.
 *
 * Kinds are drawn from a shuffled deck, so that each comes before any comes too often. Most faults begin when the one
 * ahead is over; the others overlap it, since outages rarely come alone.
 */
export function planFaults(options: ScheduleOptions): Fault[] {
  const { seed, durationMs, topology } = options
  const random = new Random(`schedule:${seed}`)
  const cards = (Object.keys(DECK) as (keyof typeof DECK)[])
    .filter((kind) => options.kinds.includes(kind) && (ONLY[kind]?.includes(topology) ?? true))
    .flatMap((kind) => Array.from({ length: DECK[kind] }, () => kind))
  const faults: Fault[] = []
  if (cards.length === 0) return faults
  let deck: (keyof typeof DECK)[] = []
  let atMs = WARM_UP_MS
  for (;;) {
    if (deck.length === 0) deck = random.shuffled(cards)
    const fault = drawFault(deck.pop()!, faults.length + 1, Math.round(atMs), random, options)
    if (fault.atMs + fault.durationMs > durationMs) return faults
    faults.push(fault)
    if (random.chance(OVERLAP)) atMs += random.between(100, 800)
    else if (fault.kind === 'kill' && random.chance(QUIET)) atMs += options.leaseMs + random.between(1_000, 2_000)
    else atMs += fault.durationMs + random.between(400, 2_600)
  }
}

function drawFault(
  kind: keyof typeof DECK,
  id: number,
  atMs: number,
  random: Random,
  { slots, leaseMs }: ScheduleOptions,
): Fault {
  const names = (...kinds: Slot['kind'][]) => slots.filter((slot) => kinds.includes(slot.kind)).map(({ name }) => name)
  const workers = names('ts-worker')
  const connected = names('ts-worker', 'ts-producer')
  const blow = { id, kind, atMs, durationMs: 0, target: null }
  const lasting = (low: number, high: number) => ({ ...blow, durationMs: Math.round(random.between(low, high)) })
  switch (kind) {
    case 'kill':
      // Mostly workers of ours: their recovery is measured.
      return { ...blow, target: random.chance(0.65) ? random.pick(workers) : random.pick(slots).name }
    case 'stop':
      return { ...lasting(1.2 * leaseMs, 2 * leaseMs), target: random.pick(workers) }
    case 'term':
      return { ...blow, target: random.pick(names('ts-worker', 'py-worker')) }
    case 'cut':
      return { ...blow, target: random.chance(0.5) ? null : random.pick(connected) }
    case 'connect':
      return {
        ...lasting(400, 2_500),
        target: random.chance(0.3) ? null : random.pick(connected),
        step: random.pick(CONNECT_STEPS),
        afterSend: random.chance(0.5),
      }
    case 'stall':
      return { ...lasting(500, 1.6 * leaseMs), target: random.chance(0.3) ? null : random.pick(connected) }
    case 'delay':
      return { ...lasting(2_000, 6_000), target: random.pick(connected), delayMs: random.whole(20, 300) }
    case 'flush':
      return blow
    case 'slow':
      return lasting(300, 2_500)
    case 'oom':
      return lasting(1_000, 1.4 * leaseMs)
    case 'redis':
      return lasting(200, 1.5 * leaseMs)
    case 'migrate':
      return lasting(300, 2.5 * leaseMs)
    case 'failover': {
      const killsMaster = random.chance(0.5)
      return { ...lasting(6_000, 9_000), killsMaster }
    }
  }
}
