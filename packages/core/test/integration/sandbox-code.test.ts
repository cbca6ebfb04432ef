import { expect, test, describe } from 'vitest'
import { z } from 'zod'
import { defineTask, Worker } from '../../src/index.ts'
import type { Job, SandboxOptions } from '../../src/index.ts'
import { silent, useHarness } from './support.ts'

const bench = useHarness()
const fixture = (name: string) => new URL(`../fixtures/${name}`, import.meta.url)

/** A task whose jobs do what they are asked for, in a sandbox. */
const actTask = (sandbox: Partial<SandboxOptions>) =>
  defineTask({
    name: 'act',
    params: z.looseObject({ act: z.string() }),
    sandbox: { module: fixture('sandbox-acts.mjs'), max: 1, ...sandbox },
  })

const act = async (task: ReturnType<typeof actTask>, name: string, more: object = {}) => {
  const job = (await bench.client().enqueue(task, { act: name, ...more })) as Job
  return job.result({ timeoutMs: 20_000 }).catch((error: unknown) => error)
}

describe.each(['process', 'thread'] as const)('the code of a sandbox that is a %s', (kind) => {
  test('may send messages of its own, as to a process manager: its worker ignores them', async () => {
    const task = actTask({ kind })
    const worker = await bench.worker({ tasks: [task] })
    const messages = ['ready', null, 5, { type: 'ready' }, { type: 'returned', run: 1, value: 'forged' }, { type: 'x' }]
    expect(await act(task, 'send', { messages })).toBe('sent')
    expect(await act(task, 'echo', { value: 1 })).toBe(1)
    expect(worker.sandboxes.get('act')).toMatchObject({ size: 1, died: 0 })
  })

  test('gets an error where it emits by a context whose try has ended', async () => {
    const task = actTask({ kind })
    await bench.worker({ tasks: [task] })
    expect(await act(task, 'leaveEmitting')).toBeNull()
    expect(await act(task, 'emitLeft')).toContain('the try of this context has ended')
  })

  test('that exits while it is imported ends the start of its worker', async () => {
    const task = defineTask({ name: 'exits', sandbox: { module: fixture('sandbox-exits.mjs'), kind } })
    const options = { redis: bench.database().url, tasks: [task], logger: silent, handleSignals: false }
    const error = await new Worker(options).run().catch((each: unknown) => each)
    expect(error).toMatchObject({ code: 'ARQ_SANDBOX_LOAD' })
    expect(String(error)).toMatch(
      /'exits' cannot start: its module "\/.*sandbox-exits\.mjs" fails to load .*exit code 0/,
    )
  })
})
