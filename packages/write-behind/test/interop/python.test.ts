import { fileURLToPath } from 'node:url'
import { RemoteError } from '@arq-ts/core'
import { ARQ_VERSIONS, Child, eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { useHarness } from '../support/harness.ts'

const leftOut = process.env.ARQ_TEST_NO_PYTHON
const versions = [...new Set([ARQ_VERSIONS[0], ARQ_VERSIONS.at(-1)])]
const why = leftOut ? ` (left out: ${leftOut})` : ''

describe.skipIf(leftOut !== undefined).each(versions)(`a Python producer with arq %s${why}`, (version) => {
  const bench = useHarness()
  const produce = (...args: string[]) => {
    const python = process.env[`ARQ_TEST_PYTHON_${version}`] as string
    return new Child(python, [fileURLToPath(new URL('produce.py', import.meta.url)), bench.database().url, ...args])
  }

  test('enqueues persist_cache as it always did: by position, by keyword, and mixed', async () => {
    const saved: [string, unknown][] = []
    bench.worker({
      persisters: {
        'src.services.users': {
          save_user: (key, value) => {
            if (value === 'no good') throw new RemoteError('builtins.ValueError', ['no good'])
            saved.push([key, value])
          },
        },
      },
    })
    const child = produce()
    expect(await child.exited, child.lines.join('\n')).toBe(0)
    const results = child.lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(results).toHaveLength(5)
    for (const result of results.slice(0, 3)) {
      expect(result).toMatchObject({
        status: 'success',
        key: expect.stringMatching(/^user:\d$/) as string,
        duration: expect.any(Number) as number,
      })
    }
    expect(results[3]).toEqual({ error: 'RuntimeError', args: [expect.stringContaining('no persister os:system')] })
    expect(results[4]).toEqual({ error: 'ValueError', args: ['no good'] })
    expect(new Map(saved)).toEqual(
      new Map<string, unknown>([
        ['user:1', { name: 'John', tags: new Set(['a']) }],
        ['user:2', [1, 2]],
        ['user:3', null],
      ]),
    )
  })

  test('has its writes of one key persisted in their order, and never one over a newer of ours', async () => {
    const saved: unknown[] = []
    const persisters = { 'src.services.users': { save_user: (_key: string, value: unknown) => saved.push(value) } }
    const child = produce('series')
    expect(await child.exited, child.lines.join('\n')).toBe(0)
    const cache = bench.cache()
    await cache.writeBehind('user:9', 'ours, the newest', { persister: 'src.services.users:save_user', delayMs: 0 })
    bench.worker({ persisters })
    const client = bench.client()
    await eventually(async () => (await client.queues.stats('arq:queue')).complete === 6)
    expect(saved.at(-1)).toBe('ours, the newest')
    const theirs = saved.filter((value) => typeof value === 'number')
    expect(theirs).toEqual([...theirs].sort((a, b) => a - b))
  })
})
