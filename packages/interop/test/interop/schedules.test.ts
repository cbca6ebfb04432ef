import { decodeValue } from '@arq-ts/protocol'
import { eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pythonProducer } from '../../src/producers.ts'
import type { PythonProducer } from '../../src/producers.ts'
import { noPython, pythonOf } from '../../src/python.ts'
import { pythonWorker, typescriptWorker } from '../../src/workers.ts'
import type { RunningWorker } from '../../src/workers.ts'

const TASK = 'arq-ts:schedule'
const OURS = 'arq:ts'

describe.skipIf(noPython !== undefined)(
  noPython ? `schedules and Python arq (left out: ${noPython})` : 'a Python producer',
  () => {
    let database: Database
    let producer: PythonProducer
    const workers: RunningWorker[] = []

    beforeAll(async () => {
      database = await takeDatabase()
      const interpreter = pythonOf('0.28.0') as string
      const settings = { url: database.url, codec: 'pickle' as const }
      producer = await pythonProducer(interpreter, database.url, 'pickle')
      // Python's queue is served by Python alone; the system task goes to ours.
      workers.push(await pythonWorker(interpreter, { ...settings, name: 'python' }))
      workers.push(await typescriptWorker({ ...settings, codec: 'default', name: 'ours', queue: OURS }))
    })
    afterAll(async () => {
      await Promise.all(workers.map((worker) => worker.stop()))
      await producer?.close()
      await database?.release()
    })

    /** Result of `await (await redis.enqueue_job('arq-ts:schedule', …)).result()` in Python. */
    async function ask(args: string, kwargs = '{}') {
      const id = (await producer.enqueueSource({ function: TASK, args, kwargs }, { queue_name: OURS })) as string
      return producer.result(id, undefined, 15_000, OURS)
    }

    test('puts a schedule whose ticks Python workers run, pauses, lists and removes it', async () => {
      const put = "{'every_ms': 1000, 'task': 'record', 'args': ['key'], 'queue_name': 'arq:queue', 'overlap': 'skip'}"
      const answer = (await ask("['put', 'python:1']", put)) as { repr: string }
      for (const part of ["'name': 'python:1'", "'task': 'record'", "'codec': 'pickle'", "'paused': False"])
        expect(answer.repr).toContain(part)
      await eventually(async () => (await database.redis.keys('ran:python:1:*')).length >= 2)
      const ran = await database.redis.keys('ran:python:1:*')
      for (const key of ran) {
        expect(key).toMatch(/^ran:python:1:\d+000$/)
        expect(await database.redis.lrange(key, 0, -1)).toEqual(['python'])
      }
      expect(await ask("['pause', 'python:1']")).toMatchObject({
        repr: expect.stringContaining("'paused': True") as unknown,
      })
      expect(await ask("['list']")).toMatchObject({ repr: expect.stringContaining("'next_ms': None") as unknown })
      expect(await ask("['remove']", "{'name': 'python:1'}")).toMatchObject({ repr: 'True' })
      expect(await ask("['get', 'python:1']")).toMatchObject({ repr: 'None' })
    })

    test('gives instants as datetimes, and any value as an argument', async () => {
      const at = 'datetime.datetime(2099, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)'
      const kwargs = `{'at': ${at}, 'task': 'echo', 'args': [Decimal('1.50'), b'x'], 'kwargs': {'d': ${at}}}`
      const answer = (await ask("['put', 'python:at']", kwargs)) as { repr: string }
      expect(answer.repr).toContain(`'at_ms': ${Date.UTC(2099, 0, 2, 3, 4, 5)}`)
      expect(answer.repr).toContain("Decimal('1.50'), b'x'")
      const payload = await database.redis.hgetBuffer('arq:schedule:python:at', 'payload')
      expect(decodeValue(payload!).codec).toBe('pickle')
      await ask("['remove', 'python:at']")
    })

    test('learns what is wrong from the error of its job', async () => {
      const wrong = await ask("['put', 'x']", "{'cron': '61 * * * *', 'task': 'f'}")
      expect(wrong).toMatchObject({ args: [expect.stringContaining('expected a cron expression')] })
      const unknown = await ask("['put', 'x']", "{'crom': '* * * * *', 'task': 'f'}")
      expect(unknown).toMatchObject({ args: [expect.stringContaining('crom')] })
    })
  },
)
