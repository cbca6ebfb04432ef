import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { marksAt, NO_METRICS, p95, since, summarise } from '../../src/metrics.ts'
import type { Bucket } from '../../src/types.ts'

const bucket = (minute: number, latencies: number[], errors = 0): Bucket => ({
  minute,
  count: latencies.length,
  errors,
  latencies,
})

describe('the numbers of several minutes', () => {
  test('are of the requests themselves', () => {
    const latencies = Array.from({ length: 100 }, (_, i) => i + 1)
    expect(summarise([bucket(1, latencies.slice(0, 60), 3), bucket(2, latencies.slice(60))])).toEqual({
      totalRequests: 100,
      totalErrors: 3,
      errorRate: 0.03,
      avgLatencyMs: 50.5,
      p95LatencyMs: 96,
    })
  })

  test('that were not measured are not there', () => {
    expect(summarise([])).toEqual(NO_METRICS)
    expect(summarise([{ minute: 1, count: 50, errors: 0, latencies: [] }])).toMatchObject({
      totalRequests: 50,
      errorRate: 0,
      avgLatencyMs: null,
      p95LatencyMs: null,
    })
  })
})

describe('a stage', () => {
  test('counts what came after it began: the minute it began in is not all its own', () => {
    const before = [bucket(1, [9]), bucket(2, [3, 2, 1], 2)]
    const marks = marksAt(before, 2 * 60_000 + 30_000)
    const after = [bucket(1, [9]), bucket(2, [5, 4, 3, 2, 1], 3), bucket(3, [6])]
    expect(since(after, marks)).toEqual([bucket(1, []), { ...bucket(2, [5, 4], 1) }, bucket(3, [6])])
    expect(summarise(since(before, marks)).totalRequests).toBe(0)
  })

  test('marks the minutes that clocks a minute apart may still count in', () => {
    const counted = [1, 2, 3, 4, 5].map((minute) => bucket(minute, [1]))
    expect(marksAt(counted, 3 * 60_000).map(({ minute }) => minute)).toEqual([2, 3, 4])
  })

  test('takes a minute whose keys are gone for none, not for fewer than none', () => {
    const [gone] = since([bucket(2, [])], [{ minute: 2, count: 5, errors: 1, latencies: 5 }])
    expect(gone).toEqual(bucket(2, []))
  })
})

const hasPython = (() => {
  try {
    execFileSync('python3', ['--version'])
    return true
  } catch {
    return false
  }
})()

test.skipIf(!hasPython)(`the 95th percentile is Python's${hasPython ? '' : ' (left out: no python3 here)'}`, () => {
  const lengths = Array.from({ length: 400 }, (_, i) => i + 1)
  const script = 'import json\nprint(json.dumps([sorted(range(n))[int(n * 0.95)] for n in range(1, 401)]))'
  const theirs = JSON.parse(execFileSync('python3', ['-c', script], { encoding: 'utf8' })) as number[]
  expect(lengths.map((length) => p95(Array.from({ length }, (_, i) => i)))).toEqual(theirs)
  expect(theirs[19]).toBe(19) // of 20 the largest
})
