import { eventually } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import { defineTask } from '../../src/index.ts'
import { useHarness } from './support.ts'

const bench = useHarness()

test('a handler that emits once its try has ended gets an error, and its late lines make no second end', async () => {
  let late: { emit: () => Promise<void>; log: () => void } | undefined
  const abandoned = defineTask({
    name: 'abandoned',
    record: { logs: true },
    handler: (ctx) => {
      ctx.log.info('in time')
      late = { emit: () => ctx.emit('late'), log: () => ctx.log.info('late') }
    },
  })
  await bench.worker({ tasks: [abandoned] })
  const job = (await bench.client().enqueue(abandoned, []))!
  const seen: string[] = []
  for await (const { kind } of job.events()) seen.push(kind)
  expect(seen).toEqual(['log', 'end'])
  await expect(late!.emit()).rejects.toThrow('the try of this context has ended')
  late!.log()
  const { redis } = bench.database()
  const key = `arq:obs:log:${job.jobId}`
  await eventually(async () => (await redis.xlen(key)) === 3)
  const kinds = (await redis.xrange(key, '-', '+')).map(([, fields]) => JSON.parse(fields[1]!).kind)
  expect(kinds).toEqual(['log', 'end', 'log'])
})

test('a handler that emits for the first time once its try has ended gets an error, and nothing is written', async () => {
  let emit: (() => Promise<void>) | undefined
  const task = defineTask({
    name: 'left',
    handler: (ctx) => {
      emit = () => ctx.emit('late')
    },
  })
  await bench.worker({ tasks: [task] })
  const job = (await bench.client().enqueue(task, []))!
  await job.result({ timeoutMs: 10_000 })
  await expect(emit!()).rejects.toThrow('the try of this context has ended')
  expect(await bench.database().redis.exists(`arq:obs:log:${job.jobId}`)).toBe(0)
})
