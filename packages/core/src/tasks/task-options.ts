import * as z from '../options/zod.ts'
import { aFunction, count, duration, once, retryPolicySchema } from '../options/check.ts'
import { chunkSchema } from '../chunks/chunk.ts'
import { limitsSchema } from '../limits/limit.ts'
import { sandboxSchema } from '../sandbox/sandbox.ts'
import { isSchema } from './schema.ts'
import type { Schema } from './schema.ts'

const schema = (expected: string) => z.custom<Schema>(isSchema, expected).optional()

const settings = once(() => ({
  maxTries: count(1).optional(),
  timeoutMs: duration(1).optional(),
  keepResultMs: duration(0).optional(),
  keepResultForever: z.boolean().optional(),
  retry: retryPolicySchema().optional(),
  record: z.strictObject({ logs: z.boolean().optional() }).optional(),
  limits: limitsSchema().optional(),
  chunk: chunkSchema().optional(),
  sandbox: sandboxSchema().optional(),
}))

const call = once(() => ({
  name: z.string().min(1),
  params: schema('Expected a zod 4 object: z.object({ … })'),
  returns: schema('Expected a zod 4 schema'),
  emits: schema('Expected a zod 4 schema'),
}))

/** @internal */
export const taskSchema = once(() => z.strictObject({ ...call(), handler: aFunction, ...settings() }))

/** @internal */
export const sandboxedTaskSchema = once(() => z.strictObject({ ...call(), ...settings() }))

/** @internal */
export const contractSchema = once(() =>
  z.strictObject({ ...call(), codec: z.enum(['msgpack', 'pickle', 'json']).optional() }),
)

const contract = z.custom<object>(
  (value) => typeof (value as { pack?: unknown } | null)?.pack === 'function',
  'Expected a contract, made by defineContract',
)

/** @internal */
export const implementSchema = once(() => z.strictObject({ contract, handler: aFunction, ...settings() }))

/** @internal */
export const implementSandboxedSchema = once(() => z.strictObject({ contract, ...settings() }))
