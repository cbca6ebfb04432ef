import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CLEAN, decide } from '../../src/plan.ts'
import type { KeyEvent, KeyState, Outcome } from '../../src/plan.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const write = (value: string, version?: number): KeyEvent => ({
  kind: 'write',
  value: bytes(value),
  persister: 'm:f',
  delayMs: 1_000,
  ...(version === undefined ? {} : { version }),
})
const begin = (token: string): KeyEvent => ({ kind: 'begin', token, lockMs: 1_000 })

/** Applies events one after the other, a microsecond apart; gives the last outcome. */
function after(...events: (KeyEvent | [KeyEvent, nowUs: number])[]): { state: KeyState; outcome: Outcome } {
  let step: { state: KeyState; outcome: Outcome } = { state: CLEAN, outcome: { kind: 'clean' } }
  let now = 1_000_000
  for (const each of events) {
    const [event, at] = Array.isArray(each) ? each : [each, now + 1]
    now = at
    step = decide(step.state, event, now)
  }
  return step
}

describe('a write', () => {
  test('waits, and names the job that persists it', () => {
    const { state, outcome } = after(write('a'))
    expect(outcome).toEqual({ kind: 'written', version: 1_000_001, epoch: 1_000_001 })
    expect(state).toMatchObject({ dirtySinceMs: 1_000, delayMs: 1_000, pending: { value: bytes('a') } })
  })

  test('joins the job of the one before, with a larger version, and does not put it off', () => {
    const { state, outcome } = after(write('a'), write('b'))
    expect(outcome).toEqual({ kind: 'written', version: 1_000_002, epoch: 1_000_001 })
    expect(state).toMatchObject({ dirtySinceMs: 1_000, pending: { value: bytes('b') } })
  })

  test('asks for a job of its own once a run has begun', () => {
    const { outcome } = after(write('a'), begin('t'), write('b'))
    expect(outcome).toMatchObject({ kind: 'written', epoch: 1_000_002 })
  })

  test('has a larger version though the clock goes back', () => {
    const { outcome } = after(write('a'), [write('b'), 5])
    expect(outcome).toMatchObject({ version: 1_000_002 })
  })

  test('made elsewhere, earlier than what is known, changes nothing', () => {
    expect(after(write('a'), write('old', 5)).outcome).toEqual({ kind: 'superseded' })
    const persisted = after(
      write('a', 50),
      begin('t'),
      { kind: 'persisted', token: 't', version: 50 },
      write('same', 50),
    )
    expect(persisted.outcome).toEqual({ kind: 'superseded' })
    expect(after(write('a'), write('new', 2_000_000)).outcome).toMatchObject({ version: 2_000_000 })
  })
})

describe('persisting', () => {
  test('has nothing to do where nothing waits', () => {
    expect(after(begin('t')).outcome).toEqual({ kind: 'clean' })
  })

  test('is for one at a time, and left to that one', () => {
    const { state, outcome } = after(write('a'), begin('t'), begin('u'))
    expect(outcome).toEqual({ kind: 'busy' })
    expect(state).toMatchObject({ again: true, lock: { token: 't' } })
  })

  test('goes to the next when its holder is silent for too long', () => {
    const { outcome } = after(write('a'), begin('t'), [begin('u'), 3_000_000])
    expect(outcome).toMatchObject({ kind: 'persist' })
    const renewed = after(
      write('a'),
      begin('t'),
      [{ kind: 'renew', token: 't', lockMs: 5_000 }, 1_900_000],
      [begin('u'), 3_000_000],
    )
    expect(renewed.outcome).toEqual({ kind: 'busy' })
  })

  test('leaves the key clean', () => {
    const { state, outcome } = after(write('a', 7), begin('t'), { kind: 'persisted', token: 't', version: 7 })
    expect(outcome).toEqual({ kind: 'clean' })
    expect(state).toMatchObject({ pending: null, lock: null, persisted: 7 })
  })

  test('keeps a value that came meanwhile: for its own job, or for the holder when somebody left it to him', () => {
    const done: KeyEvent = { kind: 'persisted', token: 't', version: 1_000_001 }
    expect(after(write('a'), begin('t'), write('b'), done)).toMatchObject({
      outcome: { kind: 'newer' },
      state: { lock: null, pending: { value: bytes('b') } },
    })
    expect(after(write('a'), begin('t'), write('b'), begin('u'), done)).toMatchObject({
      outcome: { kind: 'again', pending: { value: bytes('b') } },
      state: { lock: { token: 't' } },
    })
  })

  test('that failed leaves the value waiting, and the key free', () => {
    expect(after(write('a'), begin('t'), { kind: 'failed', token: 't' }).state).toMatchObject({
      lock: null,
      pending: { value: bytes('a') },
    })
  })

  test('that lost its lock changes nothing of the other one', () => {
    const overtaken = after(write('a'), begin('t'), [begin('u'), 3_000_000], write('b'), {
      kind: 'persisted',
      token: 't',
      version: 1_000_001,
    })
    expect(overtaken).toMatchObject({
      outcome: { kind: 'lost' },
      state: { lock: { token: 'u' }, pending: { value: bytes('b') } },
    })
    expect(decide(overtaken.state, { kind: 'renew', token: 't', lockMs: 1 }, 1).outcome).toEqual({ kind: 'lost' })
  })
})

/** Producers, jobs and workers over the plan: what Redis and arq do beside it is a few lines of model. */
class World {
  state = CLEAN
  nowUs = 1_000_000_000
  written: { value: string; version: number }[] = []
  /** Jobs by id, as arq has them: an id that was used is taken for ever. */
  jobs = new Map<string, 'queued' | 'running' | 'done'>()
  workers: { job: string; token: string; value: string; version: number }[] = []
  store = { value: '', version: 0 }
  tokens = 0

  apply(event: KeyEvent): Outcome {
    this.nowUs += 1
    const { state, outcome } = decide(this.state, event, this.nowUs)
    this.state = state
    return outcome
  }

  /** `dies`: the producer ends between the write and the enqueue. */
  write(dies: boolean): void {
    const value = `v${this.written.length + 1}`
    const outcome = this.apply(write(value))
    if (outcome.kind !== 'written') throw new Error(outcome.kind)
    this.written.push({ value, version: outcome.version })
    if (!dies) this.enqueue(String(outcome.epoch))
  }

  enqueue(id: string): void {
    if (!this.jobs.has(id)) this.jobs.set(id, 'queued')
  }

  start(): void {
    const job = [...this.jobs].find(([, status]) => status === 'queued')?.[0]
    if (job === undefined) return
    const token = `t${++this.tokens}`
    this.jobs.set(job, 'running')
    this.take(job, token, this.apply({ kind: 'begin', token, lockMs: 1_000 }))
  }

  take(job: string, token: string, outcome: Outcome): void {
    if (outcome.kind === 'newer') this.enqueue(String(outcome.epoch))
    if (outcome.kind !== 'persist' && outcome.kind !== 'again') this.jobs.set(job, 'done')
    else
      this.workers.push({
        job,
        token,
        value: new TextDecoder().decode(outcome.pending.value),
        version: outcome.pending.version,
      })
  }

  /** The store refuses older versions, as a guarded one does. */
  finish(index: number): void {
    const [worker] = this.workers.splice(index % this.workers.length, 1)
    if (!worker) return
    if (worker.version > this.store.version) this.store = { value: worker.value, version: worker.version }
    this.take(worker.job, worker.token, this.apply({ kind: 'persisted', token: worker.token, version: worker.version }))
  }

  /** Its job is retried. */
  fail(index: number): void {
    const [worker] = this.workers.splice(index % this.workers.length, 1)
    if (!worker) return
    this.apply({ kind: 'failed', token: worker.token })
    this.jobs.set(worker.job, 'queued')
  }

  /** Before or after the store has the value; its lease gives the job to another. */
  crash(index: number, isDurable: boolean): void {
    const [worker] = this.workers.splice(index % this.workers.length, 1)
    if (!worker) return
    if (isDurable && worker.version > this.store.version) this.store = { value: worker.value, version: worker.version }
    this.jobs.set(worker.job, 'queued')
  }

  /** Runs all there is, and what the sweep finds: a write whose producer died. */
  settle(): void {
    for (let i = 0; this.workers.length > 0 || [...this.jobs.values()].includes('queued') || this.state.pending; i++) {
      if (i > 1_000) throw new Error('it does not come to an end')
      this.nowUs += 2_000_000
      if (this.state.pending && ![...this.jobs.values()].some((status) => status !== 'done')) this.enqueue(`sweep${i}`)
      this.start()
      this.finish(0)
    }
  }
}

const step = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    dies: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  }),
  fc.record({ kind: fc.constant('start' as const) }),
  fc.record({ kind: fc.constant('finish' as const), index: fc.nat(5) }),
  fc.record({ kind: fc.constant('fail' as const), index: fc.nat(5) }),
  fc.record({ kind: fc.constant('crash' as const), index: fc.nat(5), isDurable: fc.boolean() }),
  fc.record({ kind: fc.constant('wait' as const), us: fc.nat(3_000_000) }),
)

function play(world: World, each: typeof step extends fc.Arbitrary<infer S> ? S : never): void {
  if (each.kind === 'write') world.write(each.dies)
  else if (each.kind === 'start') world.start()
  else if (each.kind === 'wait') world.nowUs += each.us
  else if (each.kind === 'crash') world.crash(each.index, each.isDurable)
  else world[each.kind](each.index)
}

describe('whatever happens, in whatever order', () => {
  test('the last write is durable in the end, and the store never goes back', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const world = new World()
        let version = 0
        for (const each of steps) {
          play(world, each)
          expect(world.store.version).toBeGreaterThanOrEqual(version)
          version = world.store.version
        }
        world.settle()
        expect(world.state.pending).toBeNull()
        expect(world.store.value).toBe(world.written.at(-1)?.value ?? '')
      }),
      { numRuns: 20_000 },
    )
  })

  test('nobody persists beside a holder who tells that he lives', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const world = new World()
        for (const each of steps) {
          if (each.kind === 'wait') continue // no lock lapses
          play(world, each)
          const holders = world.workers.filter((worker) => worker.token === world.state.lock?.token)
          const crashed = steps.some(({ kind }) => kind === 'crash')
          if (!crashed) expect(world.workers.length).toBe(holders.length)
        }
      }),
      { numRuns: 5_000 },
    )
  })
})
