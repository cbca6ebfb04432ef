import { describe, expect, test } from 'vitest'
import { hostileThrown } from '../../../protocol/test/support/hostile-thrown.ts'
import { askChecks } from '../../src/look-checks.ts'
import type { CheckFunction } from '../../src/look-checks.ts'
import { rulesWith, running } from '../support/plans.ts'

const ask = (name: string, functions: Record<string, CheckFunction> = {}, timeoutMs = 20) =>
  askChecks({ ...running, rules: rulesWith({ checks: [{ name, timeoutMs }] }) }, 10, functions)

describe('a check of the worker', () => {
  test.each<[string, CheckFunction, object]>([
    ['answers true', () => true, { verdict: 'pass' }],
    ['answers with a reason', async () => ({ ok: false, reason: 'empty' }), { verdict: 'fail', reason: 'empty' }],
    ['answers with something else', () => 'yes' as never, { verdict: 'unknown' }],
    ['rejects', () => Promise.reject(new Error('broken')), { verdict: 'unknown', reason: 'broken' }],
    ['never answers', () => new Promise<boolean>(() => {}), { verdict: 'unknown', reason: 'no answer within 20 ms' }],
  ])('that %s has a verdict', async (_, call, outcome) => {
    expect(await ask('smoke', { smoke: call })).toEqual([expect.objectContaining({ name: 'smoke', ...outcome })])
  })

  test('that throws at once has no verdict, and nothing is rejected behind it when its time is over', async () => {
    let signal: AbortSignal | undefined
    const call: CheckFunction = (_, given) => {
      signal = given
      throw new Error('broken at once')
    }
    expect(await ask('smoke', { smoke: call })).toMatchObject([{ verdict: 'unknown', reason: 'broken at once' }])
    // A rejection that nobody handles fails this run.
    await new Promise((resolve) => signal!.addEventListener('abort', resolve))
    await new Promise((resolve) => setImmediate(resolve))
  })

  test.each(Object.entries(hostileThrown))(
    'that throws what it likes has no verdict, and a reason: %s',
    async (_, make) => {
      const call: CheckFunction = () => {
        throw make()
      }
      const reason = expect.any(String) as string
      expect(await ask('smoke', { smoke: call })).toEqual([{ name: 'smoke', verdict: 'unknown', reason }])
    },
  )

  test.each(['constructor', 'toString', '__proto__', 'smoke'])(
    'that was not registered has no verdict: %s',
    async (name) => {
      expect(await ask(name)).toEqual([
        { name, verdict: 'unknown', reason: 'this worker has no function of that name' },
      ])
    },
  )
})
