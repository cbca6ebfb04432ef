import { eventually } from '@arq-ts/test-support'
import type { Redis } from 'ioredis'
import { expect } from 'vitest'
import type { CodecName } from '@arq-ts/core'
import type { CallOptions, Ended, Producer, Value } from './producers.ts'
import { same, valuesFor } from './values.ts'

export type Language = 'Python' | 'TypeScript'

/** Setting of a scenario: one producer, a running worker behind one Redis database. */
export interface Stage {
  producer: Producer
  producerLanguage: Language
  workerLanguage: Language
  codec: CodecName
  redis: Redis
}

type Scenario = (stage: Stage) => Promise<void>

/** asyncio's name is an alias of the builtin from Python 3.11 on, and a class of its own before. */
const TIMEOUT: unknown = expect.stringMatching(/^(builtins|asyncio\.exceptions)\.TimeoutError$/)
const FAILED = 'arq.worker.JobExecutionFailed'
const CANCELLED = 'asyncio.exceptions.CancelledError'
/** A queue that no worker reads. */
const IDLE = 'idle'

/** Each line of the proof, by what it says of the pair. */
export const scenarios: Record<string, Scenario> = {
  'gives back values of every kind': async (stage) => {
    for (const [kind, value] of valuesFor(stage.codec)) {
      expect(await run(stage, 'echo', [value], value), kind).toMatchObject({ equal: true })
    }
  },

  'passes arguments and keywords': async (stage) => {
    const id = await enqueue(stage, {
      function: 'collect',
      args: [same(1), same('two')],
      kwargs: { c: same(3), d: same([4]) },
    })
    expect(await stage.producer.result(id, same([[1, 'two'], { c: 3, d: [4] }]))).toMatchObject({ equal: true })
  },

  'runs a deferred job when it is due, and not before': async (stage) => {
    const before = Date.now()
    const id = await enqueue(stage, { function: 'echo', args: [same('late')] }, { defer_by: 0.4 })
    expect(await stage.producer.status(id)).toBe('deferred')
    expect(await stage.producer.result(id, same('late'))).toMatchObject({ equal: true })
    expect(Date.now() - before).toBeGreaterThanOrEqual(399)
  },

  'takes a due time as a point in time': async (stage) => {
    const due = Math.round(Date.now() / 1000) + 3600
    const id = await enqueue(stage, { function: 'echo', args: [same(1)] }, { defer_until: due, queue_name: IDLE })
    expect(Number(await stage.redis.zscore(IDLE, id))).toBe(due * 1000)
  },

  'keeps an id unique while queued, running, and while a result is kept': async (stage) => {
    const call = { function: 'sleep', args: [same(0.3)] }
    const options = { job_id: 'only-one' }
    expect(await stage.producer.enqueue(call, { ...options, defer_by: 0.2 })).toBe('only-one')
    expect(await stage.producer.enqueue(call, options), 'while queued').toBeNull()
    await eventually(() => stage.redis.exists('arq:in-progress:only-one'))
    expect(await stage.producer.enqueue(call, options), 'while it runs').toBeNull()
    expect(await stage.producer.result('only-one', same('slept'))).toMatchObject({ equal: true })
    expect(await stage.producer.enqueue(call, options), 'while the result is kept').toBeNull()
    await stage.redis.del('arq:result:only-one')
    expect(await stage.producer.enqueue(call, options), 'once it is gone').toBe('only-one')
    await stage.producer.result('only-one')
  },

  'fails a job that expired before it was due': async (stage) => {
    const id = await enqueue(stage, { function: 'echo', args: [same(1)] }, { defer_by: 0.4, expires: 0.1 })
    expect(await stage.producer.result(id)).toEqual(failure(stage, FAILED, ['job expired']))
  },

  'runs a job again on Retry, at once and deferred': async (stage) => {
    expect(await run(stage, 'tries', [same(3)], same(3))).toMatchObject({ equal: true })
    const before = Date.now()
    const id = await enqueue(stage, { function: 'tries', args: [same(2)], kwargs: { defer: same(0.6) } })
    const score = await eventually(
      async () => {
        const retried =
          (await stage.redis.get(`arq:retry:${id}`)) === '1' && !(await stage.redis.exists(`arq:in-progress:${id}`))
        return retried && (await stage.redis.zscore('arq:queue', id))
      },
      { intervalMs: 2 },
    )
    expect(Number(score) - before).toBeGreaterThanOrEqual(599)
    expect(Number(score) - Date.now()).toBeLessThanOrEqual(601)
    expect(await stage.producer.result(id, same(2))).toMatchObject({ equal: true })
    expect(await stage.producer.info(id)).toMatchObject({ job_try: 2, success: true })
  },

  'fails a job for good after its last try': async (stage) => {
    expect(await run(stage, 'tries_2', [same(9)])).toEqual(failure(stage, FAILED, ['max 2 retries exceeded']))
  },

  'begins with the try the producer asks for': async (stage) => {
    const id = await enqueue(stage, { function: 'tries', args: [same(4)] }, { job_try: 4 })
    expect(await stage.producer.result(id, same(4))).toMatchObject({ equal: true })
  },

  'cancels a job at its timeout': async (stage) => {
    expect(await run(stage, 'sleep_briefly', [same(20)])).toEqual(failure(stage, TIMEOUT, expect.anything()))
  },

  'raises an exception again with its type and arguments': async (stage) => {
    expect(await run(stage, 'fail', [same('value'), same('bad'), same(7)])).toEqual(
      failure(stage, 'builtins.ValueError', ['bad', '7']),
    )
    expect(await run(stage, 'fail', [same('zero')])).toEqual(failure(stage, 'builtins.ZeroDivisionError', []))
  },

  'says so when a result cannot be written': async (stage) => {
    // Python pickles a class by its name; msgpack has no word for it, and neither codec for a JavaScript function.
    const ended = await run(stage, 'unpackable', [])
    if (stage.codec === 'pickle' && stage.workerLanguage === 'Python') expect(ended).not.toHaveProperty('error')
    else expect(ended).toEqual({ error: 'arq.jobs.SerializationError', args: ['unable to serialize result'] })
  },

  'fails a function that the worker does not have': async (stage) => {
    expect(await run(stage, 'no_such', [])).toEqual(failure(stage, FAILED, ["function 'no_such' not found"]))
  },

  'fails bytes that are no job, and continues': async (stage) => {
    await stage.redis.psetex('arq:job:garbage', 60_000, Buffer.from('80049524', 'hex'))
    await stage.redis.zadd('arq:queue', Date.now(), 'garbage')
    await eventually(() => stage.redis.exists('arq:result:garbage'))
    expect(await stage.producer.result('garbage')).toHaveProperty('error')
    expect(await run(stage, 'echo', [same('alive')], same('alive'))).toMatchObject({ equal: true })
  },

  'aborts a job that runs': async (stage) => {
    const id = await enqueue(stage, { function: 'sleep', args: [same(30)] })
    await eventually(async () => (await stage.producer.status(id)) === 'in_progress')
    await expectAborted(stage, id)
    expect(await stage.producer.status(id)).toBe('complete')
    expect(await stage.producer.result(id)).toEqual(failure(stage, CANCELLED, expect.anything()))
  },

  'aborts a deferred job': async (stage) => {
    const id = await enqueue(stage, { function: 'echo', args: [same(1)] }, { defer_by: 3600 })
    await expectAborted(stage, id)
    expect(await stage.redis.zcard('arq:abort')).toBe(0)
  },

  'aborts a job that waits behind others': async (stage) => {
    const busy = await Promise.all(
      Array.from({ length: 10 }, () => enqueue(stage, { function: 'sleep', args: [same(1.5)] })),
    )
    await eventually(async () =>
      (await Promise.all(busy.map((id) => stage.redis.exists(`arq:in-progress:${id}`)))).every(Boolean),
    )
    const id = await enqueue(stage, { function: 'record', args: [same('never')] })
    expect(await stage.producer.status(id)).toBe('queued')
    await expectAborted(stage, id)
    expect(await stage.redis.llen(`ran:${id}`)).toBe(0)
    for (const one of busy) await stage.producer.result(one)
  },

  'reports the status at every stage': async (stage) => {
    expect(await stage.producer.status('never-heard-of')).toBe('not_found')
    const deferred = await enqueue(stage, { function: 'echo', args: [same(1)] }, { defer_by: 3600, queue_name: IDLE })
    expect(await stage.producer.status(deferred, IDLE)).toBe('deferred')
    const queued = await enqueue(stage, { function: 'echo', args: [same(1)] }, { queue_name: IDLE })
    expect(await stage.producer.status(queued, IDLE)).toBe('queued')
    expect(await stage.producer.queued(IDLE)).toEqual(expect.arrayContaining([deferred, queued]))
    const id = await enqueue(stage, { function: 'sleep', args: [same(1)] })
    await eventually(async () => (await stage.producer.status(id)) === 'in_progress')
    await stage.producer.result(id)
    expect(await stage.producer.status(id)).toBe('complete')
    expect(await stage.producer.info(id)).toMatchObject({ function: 'sleep', success: true, job_try: 1 })
    expect(await stage.producer.results()).toContain(id)
  },

  'keeps results as long as the function says': async (stage) => {
    const ids = Object.fromEntries(
      await Promise.all(
        ['keep_none', 'keep_forever', 'keep_minute', 'echo'].map(async (name) => [
          name,
          await enqueue(stage, { function: name, args: [same(1)] }),
        ]),
      ),
    ) as Record<string, string>
    await eventually(async () => (await stage.redis.zcard('arq:queue')) === 0)
    const ttl = (name: string) => stage.redis.pttl(`arq:result:${ids[name] as string}`)
    expect(await ttl('keep_none')).toBe(-2)
    expect(await ttl('keep_forever')).toBe(-1)
    expect(await ttl('keep_minute')).toBeGreaterThan(50_000)
    expect(await ttl('keep_minute')).toBeLessThanOrEqual(60_000)
    expect(await ttl('echo')).toBeGreaterThan(3_500_000)
    expect(await stage.producer.result(ids.keep_none as string)).toMatchObject({ error: 'arq.jobs.ResultNotFound' })
  },

  'leaves nothing of a finished job but its result': async (stage) => {
    const id = await enqueue(stage, { function: 'echo', args: [same(1)] })
    await stage.producer.result(id)
    // After requests for aborts, the in-progress key of ours stays for a minute.
    const fence = `arq:in-progress:${id}`
    const isFence = async (key: string) => key === fence && (await stage.redis.get(key)) === 'ended'
    await eventually(async () => {
      const left: string[] = []
      for (const key of await stage.redis.keys('*')) if (key.includes(id) && !(await isFence(key))) left.push(key)
      return left.join() === `arq:result:${id}`
    })
    expect(await stage.redis.pttl(fence)).toBeLessThanOrEqual(60_000)
    expect(await stage.redis.zscore('arq:queue', id)).toBeNull()
  },

  'writes a health line that both languages read': async (stage) => {
    const line = await eventually(() => stage.redis.get('arq:queue:health-check'))
    expect(line).toMatch(
      /^[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d j_complete=\d+ j_failed=\d+ j_retried=\d+ j_ongoing=\d+ queued=\d+$/,
    )
  },
}

async function enqueue(stage: Stage, call: Parameters<Producer['enqueue']>[0], options?: CallOptions): Promise<string> {
  const id = await stage.producer.enqueue(call, options)
  if (id === null) throw new Error('the job was not queued')
  return id
}

async function run(stage: Stage, name: string, args: Value[], expected?: Value): Promise<Ended> {
  return stage.producer.result(await enqueue(stage, { function: name, args }), expected)
}

/** Over msgpack Python cannot recognize a cancellation: its `abort()` raises, and ours says that it does not know. */
async function expectAborted(stage: Stage, id: string): Promise<void> {
  if (stage.codec === 'pickle' || ourWords(stage)) expect(await stage.producer.abort(id)).toBe(true)
  else if (stage.producerLanguage === 'Python')
    await expect(stage.producer.abort(id)).rejects.toThrow('SerializationError')
  else expect(await stage.producer.abort(id)).toBe(false)
}

/** Exceptions over msgpack: only between two of ours do they keep their type. */
function ourWords(stage: Stage): boolean {
  return stage.workerLanguage === 'TypeScript' && stage.producerLanguage === 'TypeScript'
}

/** Form in which a failure arrives: whole by pickle; by msgpack as a string from Python, as a map from ours. */
function failure(stage: Stage, error: unknown, args: unknown): unknown {
  if (stage.codec === 'pickle' || ourWords(stage)) return { error, args }
  return {
    error: 'arq.jobs.SerializationError',
    args: [expect.stringMatching(stage.workerLanguage === 'Python' ? /^unable to serialize result$/ : /__exception__/)],
  }
}
