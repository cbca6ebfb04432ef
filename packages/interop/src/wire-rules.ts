import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { CodecName } from '@arq-ts/core'
import { decodeValue, encodeValue } from '@arq-ts/protocol'
import { eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pythonProducer } from './producers.ts'
import type { Producer } from './producers.ts'
import { noPython, pythonOf } from './python.ts'
import { same } from './values.ts'
import { pythonWorker } from './workers.ts'
import type { RunningWorker } from './workers.ts'

const run = promisify(execFile)
const START_READ = fileURLToPath(new URL('../python/start_read.py', import.meta.url))
const codecs: CodecName[] = ['pickle', 'msgpack']
const QUEUE = 'arq:queue'
const FAR_MS = 10 * 365 * 86_400_000
/** The first version of arq that asks for the score again before it starts a job. */
const RECHECKS_SCORE = '0.26.3'

/**
 * The rules on which limits, uniqueness, flows and schedules stand, each tried against one unmodified version of arq: what
 * keeps a Python worker off a job, what it passes over, and what it takes as it comes.
 */
export function proveRulesWith(version: string): void {
  const title = `the wire rules with arq ${version}`
  describe.each(codecs)(noPython ? `${title} (left out: ${noPython}), %s` : `${title}, %s`, (codec) => {
    describe.skipIf(noPython !== undefined)('', () => proveRules(version, codec))
  })
}

function proveRules(version: string, codec: CodecName): void {
  const interpreter = pythonOf(version) as string
  let database: Database
  let redis: Redis
  let producer: Producer
  let worker: RunningWorker

  beforeAll(async () => {
    database = await takeDatabase()
    redis = database.redis
    const settings = { url: database.url, codec, name: 'python' }
    ;[producer, worker] = await Promise.all([
      pythonProducer(interpreter, database.url, codec),
      pythonWorker(interpreter, settings),
    ])
  })
  afterAll(async () => {
    await Promise.all([worker?.stop(), producer?.close()])
    await database?.release()
  })

  /** Enqueues a job that no worker may start yet: held by its score. */
  async function hold(id: string, queue = QUEUE): Promise<void> {
    const call = { function: 'record', args: [same(id)] }
    expect(await producer.enqueue(call, { job_id: id, queue_name: queue, defer_by: FAR_MS / 1000 })).toBe(id)
  }
  const makeDue = async (id: string, queue = QUEUE) => redis.zadd(queue, Date.now(), id)
  const ran = (id: string) => redis.llen(`ran:${id}`)
  const result = (id: string) => producer.result(id, same('python'))

  /** Resolves once the worker has read its queue anew, twice: what it would start by then, it has started. */
  async function passes(): Promise<void> {
    for (let pass = 0; pass < 2; pass++) {
      const id = (await producer.enqueue({ function: 'echo', args: [same(pass)] })) as string
      await producer.result(id)
    }
  }

  test('1, hold: a job with a far score is deferred, is not started, and its result is waited for', async () => {
    await hold('held')
    await passes()
    expect(await producer.status('held')).toBe('deferred')
    expect(await ran('held')).toBe(0)
    const waiting = result('held')
    await makeDue('held')
    expect(await waiting).toMatchObject({ equal: true })
  })

  test('1, hold: the payload must outlive the hold', async () => {
    await hold('outlived')
    await redis.del('arq:job:outlived')
    await makeDue('outlived')
    // Over msgpack, arq cannot write the exception.
    const error = codec === 'pickle' ? 'arq.worker.JobExecutionFailed' : 'arq.jobs.SerializationError'
    expect(await result('outlived')).toMatchObject({ error })
    expect(await ran('outlived')).toBe(0)
  })

  test('1, hold: a job outside the sorted set has no result to wait for', async () => {
    await hold('outside')
    await redis.zrem(QUEUE, 'outside')
    expect(await result('outside')).toMatchObject({ error: 'arq.jobs.ResultNotFound' })
  })

  test.runIf(codec === 'pickle')(
    version < RECHECKS_SCORE
      ? '1, hold: a worker that has read the id before starts the held job all the same'
      : '1, hold: a worker that has read the id before leaves the held job',
    async () => {
      await hold('read-before')
      const { stdout } = await run(interpreter, [START_READ, JSON.stringify({ url: database.url, id: 'read-before' })])
      const isStarted = version < RECHECKS_SCORE
      expect(JSON.parse(stdout)).toEqual({ started: isStarted ? ['read-before'] : [] })
      expect(await ran('read-before')).toBe(isStarted ? 1 : 0)
    },
  )

  test('2, fence: any value of the in-progress key keeps a due job from starting, and shows it in progress', async () => {
    await hold('fenced')
    await redis.set('arq:in-progress:fenced', 'any value')
    await makeDue('fenced')
    await passes()
    expect(await producer.status('fenced')).toBe('in_progress')
    expect(await ran('fenced')).toBe(0)
    await redis.del('arq:in-progress:fenced')
    expect(await result('fenced')).toMatchObject({ equal: true })
  })

  test('3, order: of two due jobs the one with the lower score starts first', async () => {
    await Promise.all([hold('later'), hold('sooner')])
    const now = Date.now()
    // At one moment, so that the worker reads both.
    await redis.zadd(QUEUE, now, 'later', now - 120_000, 'sooner')
    expect(await Promise.all([result('later'), result('sooner')])).toMatchObject([{ equal: true }, { equal: true }])
    const [later, sooner] = await Promise.all(['later', 'sooner'].map(startMs))
    expect(sooner).toBeLessThanOrEqual(later as number)
  })

  test('3, order: score 0 never starts, and score 1 does', async () => {
    await Promise.all([hold('zero'), hold('one')])
    await redis.zadd(QUEUE, 0, 'zero', 1, 'one')
    expect(await result('one')).toMatchObject({ equal: true })
    await passes()
    expect(await ran('zero')).toBe(0)
    await redis.zrem(QUEUE, 'zero')
  })

  test("4, abort: Python's abort ends a held job without a run", async () => {
    await hold('aborted')
    await expectAborted(producer.abort('aborted'))
    expect(await ran('aborted')).toBe(0)
  })

  test('4, abort: between its two steps a worker may start the job, and only the fence keeps it off', async () => {
    await Promise.all([hold('in-gap'), hold('fenced-gap')])
    await redis.set('arq:in-progress:fenced-gap', 'fence')
    // The first step of abort(): the score becomes 1, and arq:abort has no request yet.
    await redis.zadd(QUEUE, 1, 'in-gap', 1, 'fenced-gap')
    expect(await result('in-gap')).toMatchObject({ equal: true })
    await passes()
    expect(await ran('fenced-gap')).toBe(0)
    const aborted = producer.abort('fenced-gap')
    await eventually(() => redis.zscore('arq:abort', 'fenced-gap'))
    const ended = expectAborted(aborted)
    await redis.del('arq:in-progress:fenced-gap')
    await ended
    expect(await ran('fenced-gap')).toBe(0)
  })

  test('5, mark: keys that arq does not know travel in the payload, and change nothing', async () => {
    await hold('marked')
    await rewrite('marked', (job) => ({ ...job, 'arq-ts': { due: 1 } }))
    await makeDue('marked')
    expect(await result('marked')).toMatchObject({ equal: true })
    expect(await producer.info('marked')).toMatchObject({ function: 'record', success: true })
  })

  test('6, overwrite: the payload that stands there when the job starts is the one that runs', async () => {
    await hold('overwritten')
    await rewrite('overwritten', (job) => ({ ...job, f: 'echo' }))
    await makeDue('overwritten')
    expect(await producer.result('overwritten', same('overwritten'))).toMatchObject({ equal: true })
  })

  test('7, gate: a job held in one queue runs from another, and its producer gets the result', async () => {
    await hold('gated', 'behind-the-gate')
    const waiting = producer.result('gated', same('python'), undefined, 'behind-the-gate')
    await makeDue('gated', QUEUE)
    expect(await waiting).toMatchObject({ equal: true })
    await eventually(async () => (await redis.zscore(QUEUE, 'gated')) === null)
    expect(await redis.zscore('behind-the-gate', 'gated'), 'it is left for us to clean').not.toBeNull()
  })

  test('8, envelope: a payload that begins with 0xC1 fails, and the worker continues', async () => {
    await hold('enveloped')
    const payload = (await redis.getBuffer('arq:job:enveloped')) as Buffer
    await redis.set('arq:job:enveloped', Buffer.concat([Buffer.from([0xc1]), payload]), 'KEEPTTL')
    await makeDue('enveloped')
    expect(await result('enveloped')).toHaveProperty('error')
    await passes()
  })

  test('9, no result: keep_result=0 leaves nothing of the outcome', async () => {
    const id = (await producer.enqueue({ function: 'keep_none', args: [same(1)] })) as string
    await eventually(async () => (await redis.exists(`arq:job:${id}`)) === 0)
    expect(await redis.exists(`arq:result:${id}`, `arq:retry:${id}`, `arq:in-progress:${id}`)).toBe(0)
    expect(await producer.status(id)).toBe('not_found')
  })

  test("10, progress: a handler writes a stream through its context's redis", async () => {
    const id = (await producer.enqueue({ function: 'report', args: [same('progress')] })) as string
    expect(await producer.result(id, same('reported'))).toMatchObject({ equal: true })
    expect((await redis.xrange('progress', '-', '+')).map(([, fields]) => fields)).toEqual([['progress', '0.4']])
  })

  /** Over msgpack, arq cannot write the CancelledError that its abort() looks for. */
  async function expectAborted(aborted: Promise<boolean>): Promise<void> {
    if (codec === 'pickle') expect(await aborted).toBe(true)
    else await expect(aborted).rejects.toThrow('unable to serialize result')
  }

  async function startMs(id: string): Promise<number> {
    const { value } = decodeValue((await redis.getBuffer(`arq:result:${id}`)) as Buffer)
    return Number((value as { st: number }).st)
  }

  async function rewrite(id: string, change: (job: object) => object): Promise<void> {
    const { value } = decodeValue((await redis.getBuffer(`arq:job:${id}`)) as Buffer)
    await redis.set(`arq:job:${id}`, encodeValue(change(value as object), codec), 'KEEPTTL')
  }
}
