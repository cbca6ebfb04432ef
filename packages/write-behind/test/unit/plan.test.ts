import { describe, expect, test } from 'vitest'
import { CLEAN, decide } from '../../src/plan.ts'
import type { Aftermath, KeyEvent, KeyState, Outcome } from '../../src/plan.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const write = (value: string, version?: number, delayMs = 1_000): KeyEvent => ({
  kind: 'write',
  value: bytes(value),
  persister: 'm:f',
  delayMs,
  ...(version === undefined ? {} : { version }),
})
const begin = (token: string, jobId: string | null = `job of ${token}`): KeyEvent => ({
  kind: 'begin',
  token,
  jobId,
  lockMs: 1_000,
})
const persisted = (version: number, mayGoOn = true): KeyEvent => ({ kind: 'persisted', token: 't', version, mayGoOn })
const failed = (after: Aftermath, version = 1_000_001): KeyEvent => ({
  kind: 'failed',
  token: 't',
  version,
  error: 'Error: away',
  ...after,
})
const die = (carriesValue: boolean, epoch: number | null = null): Aftermath => ({
  then: 'die',
  carriesValue,
  epoch,
  inMs: 4_000,
})

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
    expect(state).toMatchObject({ dueMs: 2_000, isAsked: true, pending: { value: bytes('a') } })
  })

  test('joins the job of the one before, with a larger version, and does not put it off', () => {
    const { state, outcome } = after(write('a'), write('b'))
    expect(outcome).toEqual({ kind: 'written', version: 1_000_002, epoch: 1_000_001 })
    expect(state).toMatchObject({ dueMs: 2_000, pending: { value: bytes('b') } })
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
    expect(after(write('a'), write('old', 5)).outcome).toEqual({ kind: 'superseded', by: 1_000_001 })
    const done = after(write('a', 50), begin('t'), persisted(50), write('a', 50))
    expect(done.outcome).toEqual({ kind: 'superseded', by: 50 })
    expect(after(write('a'), write('new', 2_000_000)).outcome).toMatchObject({ version: 2_000_000 })
  })
})

describe('a write that a job brings', () => {
  test('is the same write when the job runs again, and not superseded by itself', () => {
    const { state, outcome } = after(write('a', 50), begin('t'), failed({ then: 'leave' }, 50), write('a', 50))
    expect(outcome).toMatchObject({ kind: 'written', version: 50 })
    expect(state).toMatchObject({ pending: { value: bytes('a'), version: 50 } })
  })

  test('is superseded by another of the same time', () => {
    const { state, outcome } = after(write('a', 50), write('b', 50))
    expect(outcome).toEqual({ kind: 'superseded', by: 50 })
    expect(state).toMatchObject({ pending: { value: bytes('a') } })
  })
})

describe('a write that is due', () => {
  test('before the job that waits asks for one of its own', () => {
    const { state, outcome } = after(write('a', undefined, 60_000), write('b', undefined, 10))
    expect(outcome).toMatchObject({ kind: 'written', epoch: 1_000_002 })
    expect(state).toMatchObject({ dueMs: 1_010, epoch: 1_000_002 })
  })

  test('after it joins it', () => {
    const { state, outcome } = after(write('a', undefined, 10), write('b', undefined, 60_000))
    expect(outcome).toMatchObject({ kind: 'written', epoch: 1_000_001 })
    expect(state).toMatchObject({ dueMs: 1_010 })
  })

  test('later than a value that is being persisted is measured on its own', () => {
    const { state } = after(write('a', undefined, 10), begin('t'), write('b', undefined, 60_000))
    expect(state).toMatchObject({ dueMs: 61_000 })
  })
})

describe('a deletion', () => {
  const deletion: KeyEvent = { kind: 'delete' }
  test('hides what waits, which is persisted all the same, until the next write', () => {
    const { state, outcome } = after(write('a'), deletion)
    expect(outcome).toEqual({ kind: 'deleted', wasShown: true })
    expect(state).toMatchObject({ isHidden: true, pending: { value: bytes('a') } })
    expect(after(write('a'), deletion, deletion).outcome).toEqual({ kind: 'deleted', wasShown: false })
    expect(after(write('a'), deletion, write('b')).state.isHidden).toBe(false)
    expect(after(write('a'), deletion, begin('t'), persisted(1_000_001)).state).toMatchObject({
      isHidden: false,
      pending: null,
    })
  })

  test('of a clean key changes nothing', () => {
    expect(after(deletion)).toEqual({ state: CLEAN, outcome: { kind: 'deleted', wasShown: false } })
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

  test('goes at once to the next run of the same job: the one before is void', () => {
    const { state, outcome } = after(write('a'), begin('t', 'j'), begin('u', 'j'))
    expect(outcome).toMatchObject({ kind: 'persist' })
    expect(state).toMatchObject({ lock: { token: 'u', jobId: 'j' } })
    expect(decide(state, failed({ then: 'leave' }), 1_000_010)).toEqual({ state, outcome: { kind: 'lost' } })
    expect(after(write('a'), begin('t', null), begin('u', null)).outcome).toEqual({ kind: 'busy' })
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
    const { state, outcome } = after(write('a', 7), begin('t'), persisted(7))
    expect(outcome).toEqual({ kind: 'clean' })
    expect(state).toMatchObject({ pending: null, lock: null, persisted: 7 })
  })

  test('keeps a value that came meanwhile: for its own job, or for the holder when somebody left it to him', () => {
    const done = persisted(1_000_001)
    expect(after(write('a'), begin('t'), write('b'), done)).toMatchObject({
      outcome: { kind: 'newer' },
      state: { lock: null, pending: { value: bytes('b') } },
    })
    const left = [write('a'), begin('t'), write('b'), begin('u')]
    expect(after(...left, done)).toMatchObject({
      outcome: { kind: 'again', pending: { value: bytes('b') } },
      state: { lock: { token: 't' } },
    })
    expect(after(...left, persisted(1_000_001, false))).toMatchObject({
      outcome: { kind: 'newer', epoch: 1_000_004, delayMs: 0, pending: { value: bytes('b') } },
      state: { lock: null, again: false },
    })
  })

  test('that failed leaves the value waiting, and the key free', () => {
    const { state, outcome } = after(write('a'), begin('t'), failed({ then: 'retry', inMs: 2_000 }))
    expect(outcome).toEqual({ kind: 'released' })
    expect(state).toMatchObject({ lock: null, dueMs: 3_000, pending: { value: bytes('a') } })
  })

  test('that lost its lock changes nothing of the other one', () => {
    const overtaken = after(write('a'), begin('t'), [begin('u'), 3_000_000], write('b'), persisted(1_000_001))
    expect(overtaken).toMatchObject({
      outcome: { kind: 'lost' },
      state: { lock: { token: 'u' }, pending: { value: bytes('b') } },
    })
    expect(decide(overtaken.state, { kind: 'renew', token: 't', lockMs: 1 }, 1).outcome).toEqual({ kind: 'lost' })
  })
})

describe('a run that does not come again', () => {
  test('asks for a job where it had overtaken one, which ends for its sake', () => {
    const flushed = after(write('a'), begin('t'), [begin('u', null), 3_000_000], {
      ...failed({ then: 'leave' }),
      token: 'u',
    } as KeyEvent)
    expect(flushed.outcome).toMatchObject({ kind: 'newer', pending: { value: bytes('a') } })
  })

  test('asks for a job where one had been left to it', () => {
    const { outcome } = after(write('a'), begin('t'), begin('u'), failed({ then: 'leave' }))
    expect(outcome).toMatchObject({ kind: 'newer', epoch: 1_000_003, delayMs: 0, pending: { value: bytes('a') } })
    expect(after(write('a'), begin('t'), failed({ then: 'leave' })).outcome).toEqual({ kind: 'released' })
  })
})

describe('a job that fails for good', () => {
  test('takes the key with it when it brings what waits', () => {
    const { state, outcome } = after(write('a'), begin('t'), failed(die(true)))
    expect(outcome).toEqual({ kind: 'dead' })
    expect(state).toMatchObject({
      lock: null,
      dead: { error: 'Error: away', atMs: 1_000 },
      pending: { value: bytes('a') },
    })
  })

  test('gives way to one that brings it, once', () => {
    const given = [write('a'), write('b'), begin('t'), failed(die(false, 1_000_001), 1_000_002)]
    const { state, outcome } = after(...given)
    expect(outcome).toMatchObject({ kind: 'newer', epoch: 1_000_003, delayMs: 4_000, pending: { value: bytes('b') } })
    expect(state).toMatchObject({ dead: null, broughtBy: 1_000_003, dueMs: 5_000 })
    const other = after(...given, begin('t'), failed(die(false, 77), 1_000_002))
    expect(other.outcome).toMatchObject({ kind: 'newer', epoch: 1_000_003 })
    expect(other.state.epoch).toBe(1_000_005)
    expect(after(...given, begin('t'), failed(die(false, 1_000_003), 1_000_002)).outcome).toEqual({ kind: 'dead' })
  })

  test('leaves a value that came meanwhile to the job of its own', () => {
    const { state, outcome } = after(write('a'), begin('t'), write('b'), failed(die(true)))
    expect(outcome).toMatchObject({ kind: 'newer', epoch: 1_000_002, delayMs: 1_000, pending: { value: bytes('b') } })
    expect(state).toMatchObject({ dead: null })
  })

  test('is raised by a write, its replay, and a flush that succeeds', () => {
    const dead = [write('a'), begin('t'), failed(die(true))]
    expect(after(...dead, write('b')).state.dead).toBeNull()
    expect(after(...dead, begin('t'))).toMatchObject({ state: { dead: null }, outcome: { kind: 'persist' } })
    expect(after(...dead, begin('v', null), begin('t'))).toMatchObject({
      state: { dead: null },
      outcome: { kind: 'busy' },
    })
    expect(after(...dead, begin('t', null), persisted(1_000_001)).state).toMatchObject({ dead: null, pending: null })
    expect(after(...dead, begin('t', null), failed({ then: 'leave' })).state.dead).not.toBeNull()
  })

  test('does nothing when it had lost its lock', () => {
    expect(after(write('a'), begin('t'), [begin('u'), 3_000_000], failed(die(true))).outcome).toEqual({ kind: 'lost' })
  })
})
