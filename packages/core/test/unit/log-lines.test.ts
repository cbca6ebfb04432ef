import { cpuMsOf } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { JobTimeoutError, repr } from '../../src/index.ts'
import * as lines from '../../src/logging/log-lines.ts'

const line = (args: unknown[], kwargs: Record<string, unknown> = {}) =>
  lines.started({ queuedMs: 0, ref: 'f', args, kwargs, jobTry: 1, delayedMs: 0 })

describe('a line', () => {
  test('is cut as arq cuts it, and never inside a character', () => {
    expect(line(['x'.repeat(200)])).toBe(`  0.00s → f('${'x'.repeat(78)}…)`)
    expect(line([`${'x'.repeat(77)}😀😀`])).toBe(`  0.00s → f('${'x'.repeat(77)}😀…)`)
  })

  test('mentions a delay beyond 1.2 s, and the try from the second on', () => {
    const job = { queuedMs: 61_000, ref: 'id:f', args: [], kwargs: {}, jobTry: 1, delayedMs: 1_200 }
    expect(lines.started(job)).toBe(' 61.00s → id:f()')
    expect(lines.started({ ...job, jobTry: 3, delayedMs: 60_000 })).toBe(' 61.00s → id:f() try=3 delayed=60.00s')
  })

  test('says nothing of a null result', () => {
    expect(lines.completed(100, 'id:f', null)).toBe('  0.10s ← id:f ● ')
    expect(lines.completed(100, 'id:f', 0)).toBe('  0.10s ← id:f ● 0')
  })

  test('shows an error in one line that moves no cursor', () => {
    expect(lines.failed(0, 'id:f', new TypeError('a\n\n  b\x1B[2J'))).toBe(
      String.raw`  0.00s ! id:f failed, TypeError: a b\x1b[2J`,
    )
    expect(lines.failed(0, 'id:f', 'thrown text')).toBe('  0.00s ! id:f failed, thrown text')
  })

  test.each<[string, string, string]>([
    ['an expired job', lines.expired('id'), 'job id expired'],
    ['an unknown function', lines.unknownFunction('id', "it's"), `job id, function "it's" not found`],
    ['a payload that no codec reads', lines.undecodable('id'), 'deserializing job id failed'],
    ['exhausted tries', lines.maxTriesExceeded(1_200, 'id:f', 5), '  1.20s ! id:f max retries 5 exceeded'],
    ['a result that cannot be written', lines.unserializable('id:f'), 'error serializing result of id:f'],
    ['an error without a message', lines.failed(0, 'id:f', new RangeError()), '  0.00s ! id:f failed, RangeError: '],
    [
      'a timeout',
      lines.failed(0, 'id:f', new JobTimeoutError('the job ran too long')),
      '  0.00s ! id:f failed, TimeoutError: the job ran too long',
    ],
    ['a hostile id', lines.expired(`\n${'x'.repeat(1_000)}`), `job \\n${'x'.repeat(197)}… expired`],
  ])("names %s in arq's words", (_, line, expected) => {
    expect(line).toBe(expected)
  })

  test('finds the extra of an error, called where it is a function, and none that throws', () => {
    const error = (extra: unknown) => Object.assign(new Error('no funds'), { extra })
    const fail = () => {
      throw new Error('no')
    }
    expect(lines.extraOf(error({ order: 7 }))).toEqual({ order: 7 })
    expect(lines.extraOf(error(() => ({ order: 7 })))).toEqual({ order: 7 })
    expect(lines.extraOf(error(fail))).toBeUndefined()
    expect(lines.extraOf(null)).toBeUndefined()
  })

  test('survives values that throw when they are looked at', () => {
    const trap = {
      get a(): never {
        throw new Error('no')
      },
    }
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    expect(line([trap])).toBe('  0.00s → f(<cannot be shown>)')
    expect(lines.completed(0, 'f', revoked.proxy)).toBe('  0.00s ← f ● <cannot be shown>')
    expect(lines.describeError(Object.create(null))).toBe('<cannot be shown>')
  })
})

describe('megabytes cost no more than a glance', () => {
  const cyclic: unknown[] = []
  cyclic.push(cyclic, cyclic, cyclic)
  const large = 500_000

  test.each<[string, () => unknown]>([
    ['a string', () => repr('x'.repeat(large))],
    ['a string of what has to be escaped', () => repr('\n'.repeat(large))],
    ['a list', () => repr(Array.from({ length: large }))],
    ['numbers in bytes', () => repr(new Float64Array(large))],
    ['bytes', () => repr(new Uint8Array(large))],
    ['a cycle', () => repr(cyclic)],
    ['an integer', () => repr(1n << BigInt(large * 8))],
    ['an error full of spaces', () => lines.describeError(new Error(' '.repeat(large)))],
    ['an error full of lines', () => lines.describeError(new Error(' \n'.repeat(large)))],
    [
      'arguments',
      () =>
        line(
          Array.from({ length: large }, (_, i) => i),
          { ['k'.repeat(large)]: 1 },
        ),
    ],
  ])('%s', (_, text) => {
    text() // compiled
    let shown = ''
    // Making the value is most of it; a quadratic pass would take minutes.
    expect(cpuMsOf(() => (shown = text() as string))).toBeLessThan(5_000)
    expect(shown.length).toBeLessThan(1_100)
  })
})
