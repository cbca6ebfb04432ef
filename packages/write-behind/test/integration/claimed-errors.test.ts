import { RemoteError } from '@arq-ts/core'
import { decodeResult, encodeResult } from '@arq-ts/protocol'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { useHarness } from '../support/harness.ts'

const bench = useHarness()

/** A failed result as whoever writes to Redis may leave it for a persister to find. */
function claimed(): RemoteError {
  const foreign = encodeResult(
    {
      jobTry: 1,
      functionName: 'f',
      args: [],
      kwargs: {},
      enqueueTimeMs: 1,
      success: false,
      result: { __exception__: 'subprocess.Popen', args: [['touch', '/tmp/owned']], message: 'gotcha' },
      startTimeMs: 1,
      finishTimeMs: 2,
      queueName: 'arq:queue',
      jobId: 'foreign',
    },
    'msgpack',
  )
  return decodeResult(foreign).record.result as RemoteError
}

describe('a persister that fails with an exception from a msgpack result', () => {
  test.each([
    ['as it came', (error: RemoteError) => error],
    ['in a copy', ({ pythonType, args }: RemoteError) => new RemoteError(pythonType, args)],
  ])('%s leaves no pickle that names its class, also after a replay', async (_, thrown) => {
    const save = () => Promise.reject(thrown(claimed()))
    const worker = bench.worker({ persisters: { 'app.db': { save } } }, { maxTries: 1 })
    const client = bench.client({ codec: 'pickle' })
    const redis = new Redis(bench.database().url)
    try {
      const nextDeath = () => new Promise<{ jobId: string }>((resolve) => worker.once('deadLettered', resolve))
      const kwargs = { key: 'k', value: 1, persist_func_module: 'app.db', persist_func_name: 'save', delay: 0 }
      let died = nextDeath()
      const job = await client.enqueue('persist_cache', [], { kwargs })
      for (const round of ['first', 'replayed']) {
        expect((await died).jobId).toBe(job!.jobId)
        const stored = (await redis.getBuffer(`arq:result:${job!.jobId}`))!
        expect(stored[0], round).toBe(0x80)
        expect(stored.includes('subprocess.Popen'), round).toBe(true)
        // A string of exactly this length: the module of a global.
        expect(stored.includes(Buffer.from('\x8c\x0asubprocess', 'latin1')), round).toBe(false)
        expect(decodeResult(stored).record.result).toMatchObject({ pythonType: 'builtins.RuntimeError' })
        if (round === 'replayed') break
        died = nextDeath()
        await client.jobs.retry(job!.jobId)
      }
    } finally {
      redis.disconnect()
    }
  })
})
