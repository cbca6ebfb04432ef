import { unrefusedOf } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import * as cron from '../../src/cron/index.ts'
import { RemoteError } from '../../src/errors.ts'
import * as flows from '../../src/flows/index.ts'
import * as jobs from '../../src/jobs/index.ts'
import * as show from '../../src/show.ts'
import * as time from '../../src/time/index.ts'
import * as values from '../../src/values/index.ts'

const HOT =
  'runs for each job, on what its callers have checked; `@arq-ts/protocol` has it with checks, or what it is part of'
const PURE = 'any value is accepted'
const TYPED = 'a value of Python, which refusals.test.ts makes wrong in every way'
const ANY_OBJECT = 'every object has keys'
const BUILT_IN = "a collection of JavaScript's own, which takes what that takes"

const graph: flows.FlowGraph = new Map([
  ['0', { after: [], on: 'success' }],
  ['1', { after: ['0'], on: 'success' }],
])
const call = { args: [1], kwargs: { a: 1 } }
const references = [{ path: ['a', 0], of: '0' }]
const schedule = cron.parseSchedule('0 2 * * *')

describe('every function of an inner entry refuses wrong arguments, or is on the hot path:', () => {
  test('jobs', async () => {
    const unrefused = await unrefusedOf({
      exports: jobs,
      accepted: {
        detailsIn: [new RemoteError('a.B', [])],
        healthLine: [new Date(0), { complete: 1, failed: 1, retried: 1, ongoing: 1, queued: 1 }],
        missingText: [['a', 'b']],
        parseHealthLine: ['x'],
        parseId: ['a\\x00'],
        readable: [() => 1],
        restoreDetails: [new Error('x'), { name: 'X' }],
        retryDelayMs: [{ delayMs: 5, jitter: 0.5, maxDelayMs: 5 }, 1, null, 0.5],
        shortId: ['abcdef', 3],
        showId: ['a'],
        statusOf: [{ hasResult: false, inProgress: false, score: 1 }, 1],
      },
      data: ['statusOf(0)'],
      right: { retryDelayMs: { '`jitter` as true': 'is the usual share' } },
      passed: {
        'retryDelayMs(2)': 'any value may be thrown',
        'restoreDetails(1)': 'came over the wire, and is read as far as it can be',
        Keys: 'names keys by strings that its callers have checked',
        admit: HOT,
        bindArguments: HOT,
        deathsOf: HOT,
        decodeJob: HOT,
        decodeResult: HOT,
        dueTimeOf: HOT,
        encodeJob: HOT,
        encodeResult: HOT,
        idFromBytes: HOT,
        idToBytes: HOT,
        isAbortOf: HOT,
        isMarkedResult: HOT,
        isWellFormed: HOT,
        settle: HOT,
      },
    })
    expect(unrefused).toEqual([])
  })

  test('cron', async () => {
    const unrefused = await unrefusedOf({
      exports: cron,
      accepted: {
        latestTick: [(afterMs: number) => afterMs + 1, 0, 10],
        nextTick: [schedule, 0, 'UTC'],
        parseSchedule: [
          { month: 1, day: 2, weekday: 'mon', hour: [1, 2], minute: new Set([3]), second: 4, microsecond: 5 },
        ],
      },
      data: ['nextTick(0)'],
      right: {
        parseSchedule: {
          '`month` as an array of it': 'is a list of one',
          '`day` as an array of it': 'is a list of one',
          '`weekday` as an array of it': 'is a list of one',
          '`second` as an array of it': 'is a list of one',
          '`second` as null': 'is every second, as in arq',
          '`weekday` as 5': 'is Saturday',
          '`hour` as 5': 'is an hour',
          '`hour` as an array of numbers': 'is a list of hours',
          '`minute` as 5': 'is a minute',
        },
      },
      passed: {},
    })
    expect(unrefused).toEqual([])
  })

  test('flows', async () => {
    const unrefused = await unrefusedOf({
      exports: flows,
      instances: { FlowMachine: new flows.FlowMachine(graph, 'fail') },
      accepted: {
        FlowMachine: [graph, 'fail'],
        'FlowMachine.place': ['0'],
        'FlowMachine.decide': ['0'],
        'FlowMachine.end': ['0', 'success', new Map()],
        'FlowMachine.replay': ['all'],
        decideMember: ['any', ['success'], 'fail'],
        familiesOf: [['0']],
        isFailure: ['success', 'fail'],
        isSuccess: ['success', 'fail'],
        membersOf: [references],
        parentByName: ['0.1'],
        planReplay: [graph, new Map([['0', 'failure']]), 'fail', 'failed'],
        problemOfGraph: [graph],
        putResults: [call, references, () => 1],
        successorsOf: [graph],
        takeReferences: [call, () => undefined],
      },
      data: ['putResults(0)', 'takeReferences(0)'],
      right: { planReplay: { 'an array of it': 'names members' } },
      passed: { 'FlowMachine.cancel': 'takes nothing' },
    })
    expect(unrefused).toEqual([])
  })

  test('time', async () => {
    const unrefused = await unrefusedOf({
      exports: time,
      accepted: {
        changeBetween: [0, 1, 'Europe/Berlin'],
        instantOf: [0, 'Europe/Berlin'],
        offsetAt: [0, 'Europe/Berlin'],
      },
      passed: { isTimeZone: PURE, systemTimeZone: 'takes nothing' },
    })
    expect(unrefused).toEqual([])
  })

  test('show', async () => {
    const unrefused = await unrefusedOf({
      exports: show,
      accepted: {
        escapeJsonLine: ['{}'],
        escapeUnprintable: ['a'],
        jsonString: ['a'],
        jsonText: [1, { lenient: true, maxBytes: 10 }],
        repr: [1, 10],
        reprCall: [[1], { a: 1 }, 10],
        showJson: [1, { maxLength: 10, indent: 2 }],
        showName: ['a'],
        truncate: ['abc', 2],
      },
      data: ['reprCall(1)'],
      codes: ['ARQ_ENCODE'],
      passed: {
        'jsonText(0)': PURE,
        'repr(0)': PURE,
        'showJson(0)': PURE,
        measure: PURE,
        'reprCall(0)': 'values of any kind',
      },
    })
    expect(unrefused).toEqual([])
  })

  test('values', async () => {
    const classes = Object.entries(values).filter(([, value]) => /^class\b/.test(String(value)))
    const isBuiltIn = (name: string) => /^(ByteArray|Counter|DefaultDict|Deque|FrozenSet|OrderedDict|Tuple)$/.test(name)
    const unrefused = await unrefusedOf({
      exports: values,
      accepted: { dateToBytes: [new Date(0)], orderedEntries: [{ a: 1 }], orderedKeys: [{ a: 1 }] },
      data: ['orderedEntries(0)', 'orderedKeys(0)'],
      right: Object.fromEntries(
        ['orderedEntries', 'orderedKeys'].map((name) => [
          name,
          {
            'a promise of it': ANY_OBJECT,
            'a promise of another realm': ANY_OBJECT,
            'an instance of a class': ANY_OBJECT,
          },
        ]),
      ),
      passed: {
        ...Object.fromEntries(classes.map(([name]) => [name, isBuiltIn(name) ? BUILT_IN : TYPED])),
        fromOtherRealm: HOT,
        inThisRealm: PURE,
        isAbortSignal: PURE,
        isDate: PURE,
        isError: PURE,
        isMap: PURE,
        isPromise: PURE,
        isSet: PURE,
        optionNames: HOT,
      },
    })
    expect(unrefused).toEqual([])
  })
})
