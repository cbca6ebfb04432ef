import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/index.ts'
import { useHarness } from './support.ts'

const bench = useHarness()

describe.each(['process', 'thread'] as const)('the pieces of a result in a %s', (kind) => {
  const actTask = (emits?: z.ZodType) =>
    defineTask({
      name: 'act',
      params: z.looseObject({ act: z.string() }),
      ...(emits && { emits }),
      sandbox: { module: new URL('../fixtures/sandbox-acts.mjs', import.meta.url), kind, max: 1 },
    })

  test('are each taken or refused by the worker, and none is dropped', async () => {
    const task = actTask(z.object({ i: z.number(), text: z.string() }))
    await bench.worker({ tasks: [task] })
    const job = (await bench.client().enqueue(task, { act: 'stream', count: 50 }))!
    const seen: number[] = []
    for await (const entry of job.events()) if (entry.kind === 'chunk') seen.push((entry.value as { i: number }).i)
    expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i))
    const refused = ['ARQ_RESULT', 'ctx.emit() got what does not cross: `the value`: a function']
    expect(await job.result({ timeoutMs: 20_000 })).toEqual(refused)
  })

  test('that are not awaited cannot fill the memory of the worker', async () => {
    const task = actTask()
    await bench.worker({ tasks: [task] })
    const job = (await bench.client().enqueue(task, { act: 'flood' }))!
    // 5,000 pieces of 1,024 bytes in one turn: 4 MiB cross unanswered.
    expect(await job.result({ timeoutMs: 20_000 })).toBe(5_000 - 4_096)
  })
})
