import { custom, boolean, object, oneOf, string } from '../options/field.ts'
import { aFunction, count, duration, retryPolicySchema } from '../options/check.ts'
import { chunkSchema } from '../chunks/chunk.ts'
import { limitsSchema } from '../limits/limit.ts'
import { sandboxSchema } from '../sandbox/sandbox.ts'
import { isSchema } from './schema.ts'
import type { Schema } from './schema.ts'

const schema = (expected: string) => custom<Schema>(isSchema, expected).optional()

const settings = {
  maxTries: count(1).optional(),
  timeoutMs: duration(1).optional(),
  keepResultMs: duration(0).optional(),
  keepResultForever: boolean().optional(),
  retry: retryPolicySchema.optional(),
  record: object({ logs: boolean().optional() }).optional(),
  limits: limitsSchema.optional(),
  chunk: chunkSchema.optional(),
  sandbox: sandboxSchema.optional(),
}

const call = {
  name: string(1),
  params: schema('a zod 4 object: z.object({ … })'),
  returns: schema('a zod 4 schema'),
}

/** @internal */
export const taskSchema = object({ ...call, handler: aFunction, ...settings })

/** @internal */
export const sandboxedTaskSchema = object({ ...call, ...settings })

/** @internal */
export const contractSchema = object({ ...call, codec: oneOf('msgpack', 'pickle', 'json').optional() })

const contract = custom<object>(
  (value) => typeof (value as { pack?: unknown } | null)?.pack === 'function',
  'a contract, made by defineContract',
)

/** @internal */
export const implementSchema = object({ contract, handler: aFunction, ...settings })

/** @internal */
export const implementSandboxedSchema = object({ contract, ...settings })
