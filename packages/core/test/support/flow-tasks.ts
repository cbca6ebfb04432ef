import { z } from 'zod'
import { defineTask } from '../../src/index.ts'
import type { FlowRun } from '../../src/index.ts'

const value = z.object({ value: z.unknown() })
export const echo = defineTask({ name: 'echo', params: value, handler: (_ctx, input) => input.value ?? null })
export const add = defineTask({
  name: 'add',
  params: z.object({ numbers: z.array(z.number()) }),
  handler: (_ctx, { numbers }) => numbers.reduce((sum, each) => sum + each, 0),
})
export const fail = defineTask({
  name: 'fail',
  params: z.object({ why: z.string().default('bad luck') }),
  handler: (_ctx, { why }) => {
    throw new Error(why)
  },
})

/** States of a flow's members, by name. */
export async function states(run: FlowRun): Promise<Record<string, string>> {
  return Object.fromEntries((await run.status()).members.map(({ name, state }) => [name, state]))
}
