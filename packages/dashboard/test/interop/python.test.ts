import { fileURLToPath } from 'node:url'
import { defineTask } from '@arq-ts/core'
import { ARQ_VERSIONS, Child, eventually } from '@arq-ts/test-support'
import { beforeEach, describe, expect, test } from 'vitest'
import type { ActAnswer, CronCalendar, FunctionMap, JobPage, JobView, UndoOutcome } from '../../src/index.ts'
import { get, jsonOf, post, useHarness } from '../support/harness.ts'

const python = process.env[`ARQ_TEST_PYTHON_${ARQ_VERSIONS.at(-1)}`]

describe.skipIf(!python)(
  `on a queue of Python's arq (${process.env.ARQ_TEST_NO_PYTHON ?? ARQ_VERSIONS.at(-1)})`,
  () => {
    const bench = useHarness()
    const read = <T>(path: string) => jsonOf<T>(get(bench.dashboard(), path))
    const job = (id: string) => read<JobView>(`/api/jobs/${id}`)

    beforeEach(async () => {
      const fill = new Child(python!, [fileURLToPath(new URL('fill.py', import.meta.url)), bench.database().url])
      expect(await fill.exited, fill.lines.join('\n')).toBe(0)
    })

    test('calls and results are shown as Python writes them', async () => {
      const queued = await job('py-queued')
      expect(queued).toMatchObject({ status: 'deferred', codec: 'pickle', queueName: 'mail' })
      expect(queued.call).toBe('py_echo((1, datetime.date(2026, 12, 11)), flag=True)')
      const done = await job('py-done')
      expect(done.result).toMatchObject({ language: 'python', text: "{'got': Decimal('1.50')}", cut: false })
      const { jobs } = await read<JobPage>('/api/jobs?q=status:failed')
      expect(jobs).toMatchObject([{ jobId: 'py-failed', functionName: 'py_fail' }])
      expect(jobs[0]!.error).toContain('no good')
    })

    test('a kept failure is retried from its result, and the retry is taken back', async () => {
      const dashboard = bench.dashboard()
      const before = await bench.database().redis.getBuffer('arq:result:py-failed')
      expect((await job('py-failed')).actions).toContain('retry')
      const retried = await jsonOf<ActAnswer>(post(dashboard, '/api/jobs/py-failed/retry'))
      expect(retried.done).toBe(true)
      expect((await job('py-failed')).status).toBe('queued')
      const undone = await jsonOf<UndoOutcome>(post(dashboard, `/api/undo/${retried.undo!.token}`))
      expect(undone.restored).toBe(1)
      expect(await bench.database().redis.getBuffer('arq:result:py-failed')).toEqual(before)
      expect(await bench.database().redis.zscore('mail', 'py-failed')).toBeNull()
    })

    test('cron ticks, which an arq-ts worker records, and functions are seen by the traces that they leave', async () => {
      const handler = () => null
      bench.worker({ tasks: [defineTask({ name: 'other', handler })], recorder: { intervalMs: 100 } })
      await eventually(async () => (await read<CronCalendar>('/api/cron')).jobs.length > 0, { timeoutMs: 20_000 })
      const { jobs } = await read<CronCalendar>('/api/cron')
      expect(jobs).toMatchObject([{ name: 'cron:py_tick', language: 'python', schedule: null }])
      expect(jobs[0]!.past).toMatchObject([{ status: 'complete' }])
      const { functions } = await read<FunctionMap>('/api/functions')
      expect(functions.find(({ functionName }) => functionName === 'py_echo')).toMatchObject({
        unserved: null,
        python: 'possible',
      })
    })
  },
)
