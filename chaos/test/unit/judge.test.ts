import { describe, expect, test } from 'vitest'
import { checkBounds } from '../../src/judge/bounds.ts'
import { Book } from '../../src/judge/book.ts'
import { readEntry } from '../../src/judge/entries.ts'
import { failedOver } from '../../src/judge/explain.ts'
import type { LedgerEntry, RunOutcome } from '../../src/judge/entries.ts'
import { judge } from '../../src/judge/judge.ts'
import type { Verdict } from '../../src/judge/judge.ts'
import { readResult } from '../../src/judge/remains.ts'
import type { Remains } from '../../src/judge/remains.ts'

const NOW = 1_000_000_000
const at = (seconds: number) => NOW + seconds * 1000

const accepted = (s: number, nonce = 'n1', jobId = 'j1', task = 'work'): LedgerEntry => ({
  atMs: at(s),
  event: 'accepted',
  nonce,
  jobId,
  task,
  deferMs: '0',
  producer: 'ts-producer-1#1',
})
const start = (s: number, run: string, worker: string, nonce = 'n1', jobId = 'j1', task = 'work'): LedgerEntry => ({
  atMs: at(s),
  event: 'start',
  nonce,
  jobId,
  task,
  at: String(at(s)),
  run,
  worker,
})
const end = (s: number, run: string, worker: string, outcome: RunOutcome = 'returned'): LedgerEntry => ({
  atMs: at(s),
  event: 'end',
  nonce: 'n1',
  jobId: 'j1',
  run,
  worker,
  outcome,
})
const settled = (s: number, run: string, worker: string): LedgerEntry => ({
  atMs: at(s),
  event: 'settled',
  jobId: 'j1',
  run,
  worker,
  outcome: 'complete',
})
const fault = (fromS: number, untilS: number, kind: string, target = ''): LedgerEntry[] => [
  { atMs: at(fromS), event: 'fault', fault: `${kind}${fromS}`, kind, target },
  { atMs: at(untilS), event: 'healed', fault: `${kind}${fromS}` },
]
const exit = (s: number, worker: string, cause: string): LedgerEntry => ({
  atMs: at(s),
  event: 'exit',
  worker,
  status: 'SIGKILL',
  cause,
})

const W1 = 'ts-worker-1#1'
const W2 = 'ts-worker-2#1'
const kept = (run: string | undefined, text = 'other') => ({ run, text, ttlMs: 3_000_000 })

function verdictOf(entries: LedgerEntry[], changes: Partial<Remains> = {}): Verdict {
  const book = new Book()
  for (const entry of entries.toSorted((a, b) => a.atMs - b.atMs)) book.add(entry)
  const remains: Remains = {
    queues: new Map(),
    jobs: new Set(),
    inProgress: new Map(),
    results: new Map(),
    deadLetters: new Set(),
    nowMs: at(100),
    ...changes,
  }
  return judge(book, remains, {
    leaseMs: 3_000,
    keepResultMs: () => 3_600_000,
    tickNames: ['cron:tick'],
    everySecond: 'cron:tick',
    faultsFromMs: at(0),
    faultsUntilMs: at(0),
    stoppedMs: at(95),
  })
}
const once = [accepted(0), start(1, 'run:1', W1), end(2, 'run:1', W1), settled(2, 'run:1', W1)]
const broken = (verdict: Verdict) =>
  checkBounds({ verdict, exits: [], keys: [], leaseMs: 3_000 })
    .filter((bound) => bound.broken)
    .map(({ name }) => name)

describe('one job', () => {
  test('that ran once and kept its result breaks no bound', () => {
    const verdict = verdictOf(once, { results: new Map([['j1', kept('run:1')]]) })
    expect(verdict).toMatchObject({ accepted: 1, ended: 1, runs: 1, lost: [], stuck: [], overwritten: [] })
    expect(broken(verdict)).toEqual([])
  })

  test('that nobody ran and nobody holds is lost', () => {
    expect(broken(verdictOf([accepted(0)]))).toEqual(['lost'])
  })

  test('that was only retried, and is nowhere, is lost', () => {
    const entries = [accepted(0), start(1, 'run:1', W1), end(2, 'run:1', W1, 'retry')]
    expect(verdictOf(entries).lost).toHaveLength(1)
  })

  test('that a failover forgot is lost with an excuse', () => {
    const verdict = verdictOf([accepted(0), ...fault(1, 8, 'failover')])
    expect(verdict.lost).toMatchObject([{ explanation: 'failover' }])
    expect(broken(verdict)).toEqual([])
  })

  test('that no handler ran, but has a result, ended by its worker', () => {
    const verdict = verdictOf([accepted(0)], { results: new Map([['j1', kept(undefined, 'CancelledError')]]) })
    expect(verdict).toMatchObject({ endedByWorker: { CancelledError: 1 }, lost: [] })
  })

  test('that is still queued is stuck, with or without a producer that answers for it', () => {
    const queues = new Map([['arq:queue', new Map([['j1', at(1)]])]])
    expect(verdictOf([accepted(0)], { queues }).stuck).toHaveLength(1)
    expect(verdictOf([], { queues }).stuck).toHaveLength(1)
  })

  test('with a result that is gone before its time has lost it', () => {
    expect(broken(verdictOf(once))).toEqual(['missing results'])
  })
})

describe('a result', () => {
  test('that is another than the one stored was overwritten', () => {
    expect(broken(verdictOf(once, { results: new Map([['j1', kept(undefined, 'job expired')]]) }))).toEqual([
      'overwritten results',
    ])
  })

  test('that was stored twice was overwritten', () => {
    const again = [start(3, 'run:2', W2), end(4, 'run:2', W2), settled(4, 'run:2', W2)]
    const verdict = verdictOf([...once, ...again], { results: new Map([['j1', kept('run:2')]]) })
    expect(broken(verdict)).toEqual(['overwritten results', 'second ends that no fault explains'])
  })

  test('of a later job of the same id is no overwriting', () => {
    const later = [start(5, 'run:2', W2, 'n2'), end(6, 'run:2', W2)]
    expect(verdictOf([...once, ...later], { results: new Map([['j1', kept('run:2')]]) }).overwritten).toEqual([])
  })

  test('of a cancelled run names no run', () => {
    const entries = [accepted(0), start(1, 'run:1', W1), end(2, 'run:1', W1, 'cancelled'), settled(2, 'run:1', W1)]
    const results = new Map([['j1', kept(undefined, 'CancelledError')]])
    expect(verdictOf(entries, { results }).overwritten).toEqual([])
  })
})

describe('a second end', () => {
  const twice = [
    accepted(0),
    start(1, 'run:1', W1),
    start(6, 'run:2', W2),
    end(7, 'run:2', W2),
    end(8, 'run:1', W1),
    settled(7, 'run:2', W2),
  ]
  const results = new Map([['j1', kept('run:2')]])
  const explanation = (...faults: LedgerEntry[]) =>
    verdictOf([...twice, ...faults], { results }).secondEnds.map((each) => each.explanation)

  test('is explained by what kept its worker from renewing the lease', () => {
    expect(explanation(...fault(1.5, 7, 'stop', 'ts-worker-1'))).toEqual(['stop'])
    expect(explanation(...fault(1.5, 5, 'redis'))).toEqual(['redis'])
    expect(explanation(exit(2, W1, 'kill'))).toEqual(['kill'])
  })

  test('is not explained by a fault of another worker, of another time, or too short', () => {
    expect(explanation(...fault(1.5, 7, 'stop', 'ts-worker-3'))).toEqual([undefined])
    expect(explanation(...fault(20, 27, 'stop', 'ts-worker-1'))).toEqual([undefined])
    expect(explanation(...fault(2, 2.3, 'slow'))).toEqual([undefined])
    expect(explanation(exit(2, W2, 'kill'))).toEqual([undefined])
  })

  test('is not explained by connections that were cut', () => {
    expect(explanation(...fault(1.5, 6, 'cut', 'ts-worker-1'), ...fault(1, 6, 'connect'))).toEqual([undefined])
  })

  test('is explained by faults that follow each other without a pause', () => {
    expect(explanation(...fault(1.5, 2, 'slow'), ...fault(2.5, 3.5, 'oom'))).toEqual(['slow+oom'])
  })
})

describe('ticks', () => {
  const tick = `cron:tick:${at(10)}`
  const ran = (s: number, run: string, worker: string) => start(s, run, worker, tick, tick, 'cron:tick')
  const ticked = (s: number, worker: string): LedgerEntry => ({ atMs: at(s), event: 'ticked', jobId: tick, worker })

  test('that run twice break a bound, also where a fault made them late', () => {
    const verdict = verdictOf([ran(10, 'run:1', W1), ran(70, 'run:2', W2), ...fault(9, 14, 'redis'), ticked(15, W2)])
    expect(broken(verdict)).toEqual(['ticks that ran twice'])
  })

  test("that arq's own worker enqueued again are arq's", () => {
    const entries = [ran(10, 'run:1', W1), ran(70, 'run:2', W2), ticked(9, W1), ticked(15, 'py-worker-1#1')]
    expect(verdictOf(entries).ticks.doubled).toMatchObject([{ explanation: 'arq' }])
  })

  test('that begin late are counted, with the fault that explains it', () => {
    const late = (...faults: LedgerEntry[]) => verdictOf([ran(14, 'run:1', W1), ...faults]).ticks.late
    expect(late(...fault(9, 13, 'redis'))).toMatchObject([{ explanation: 'redis' }])
    expect(late()).toMatchObject([{ explanation: undefined }])
  })
})

describe('recovery', () => {
  const killed = (again: number, jobs = 10) =>
    Array.from({ length: jobs }, (_, i) => [
      accepted(0, `n${i}`, `j${i}`),
      start(0.1, `run:a${i}`, W1, `n${i}`, `j${i}`),
      start(again, `run:b${i}`, W2, `n${i}`, `j${i}`),
      end(again + 1, `run:b${i}`, W2),
    ])
      .flat()
      .concat(exit(2, W1, 'kill'))
  const results = new Map(Array.from({ length: 10 }, (_, i) => [`j${i}`, kept(`run:b${i}`)]))
  const fresh = (waitS: number) => [accepted(3, 'fresh', 'fresh'), start(3 + waitS, 'run:f', W2, 'fresh', 'fresh')]

  test('is measured from the kill to the next run', () => {
    expect(verdictOf(killed(4.8), { results }).recovery).toMatchObject({ kills: 1, jobs: 10, p99Ms: 2_800 })
  })

  test('later than the lease and half a second breaks a bound', () => {
    expect(broken(verdictOf(killed(5.6), { results }))).toEqual(['recovery p99'])
  })

  test('of a few jobs is no percentile', () => {
    expect(broken(verdictOf(killed(5.6, 9), { results }))).toEqual([])
  })

  test('at a time when fresh jobs waited as well is counted apart', () => {
    const undisturbed = (waitS: number) =>
      verdictOf([...killed(5.6), ...fresh(waitS)], { results }).recovery.undisturbed
    expect(undisturbed(0.1)).toBe(10)
    expect(undisturbed(2)).toBe(0)
  })

  test('that another fault disturbed is counted apart, and leaves the bound unmeasured', () => {
    const verdict = verdictOf([...killed(9), ...fault(3, 6, 'redis')], { results })
    expect(verdict.recovery).toMatchObject({ jobs: 10, undisturbed: 0, allP99Ms: 7_000 })
    const bounds = checkBounds({ verdict, exits: [], keys: [], leaseMs: 3_000 })
    expect(bounds.find(({ name }) => name === 'recovery p99')).toMatchObject({ value: undefined, broken: false })
  })
})

test('a stored result is read in either codec, by the run that its value or error names', () => {
  expect(readResult(Buffer.from('\x85\xa1r\xb4run:0123456789abcdef', 'latin1'), 5).run).toBe('run:0123456789abcdef')
  expect(readResult(Buffer.from('\x80\x04…CancelledError', 'latin1'), 5)).toMatchObject({
    run: undefined,
    text: 'CancelledError',
  })
})

test('a ledger entry is read from its fields, its time from its id', () => {
  expect(readEntry('1234-5', ['event', 'down', 'worker', W1])).toEqual({ atMs: 1234, event: 'down', worker: W1 })
  expect(readEntry('1234-5', ['other', 'x'])).toBeUndefined()
})

describe('jobs that a failover met', () => {
  const job = [
    accepted(1),
    start(2, 'r1', 'ts-worker-1#1'),
    end(3, 'r1', 'ts-worker-1#1'),
    settled(4, 'r1', 'ts-worker-1#1'),
  ]
  const met = (...faults: LedgerEntry[]) => {
    const book = new Book()
    for (const entry of [...job, ...faults].sort((a, b) => a.atMs - b.atMs)) book.add(entry)
    return failedOver(book).has('j1')
  }

  test.each([
    ['began while the job ran', 2, 8, true],
    ['began before its end was replicated', 5, 8, true],
    ['was over long before it was accepted', -9, -5, false],
    ['began long after its end', 9, 12, false],
  ])('are those with one that %s', (_, fromS, untilS, expected) => {
    expect(met(...fault(fromS, untilS, 'failover'))).toBe(expected)
    expect(met(...fault(fromS, untilS, 'slow'))).toBe(false)
  })
})
