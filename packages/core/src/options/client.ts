/** The options of a client, their meaning and their defaults. Unknown ones are refused. */

import * as z from './zod.ts'
import { checkOptions, timer } from './check.ts'
import { connectionShape } from './connection.ts'
import type { ConnectionOptions } from './connection.ts'
import { middlewareSchema } from '../middleware/middleware.ts'
import type { Middleware } from '../middleware/middleware.ts'
import { clientDefaults, given } from './defaults.ts'
import type { Defaults } from './defaults.ts'

/** Options of `new Client()`. */
export interface ClientOptions extends ConnectionOptions {
  /** Queue for jobs that name none. Default `arq:queue`. */
  queueName?: string
  /** Time a call waits for Redis before it rejects with RedisUnavailableError, in ms, at least 1. Default 10,000. */
  commandTimeoutMs?: number
  /** Code around every `enqueue` and item of `enqueueMany`, the first outermost; its `run` is for workers. Default none. */
  middleware?: readonly Middleware[]
}

/** @internal */
export const clientSchema = z.strictObject({
  ...connectionShape,
  queueName: z.string().min(1).optional(),
  commandTimeoutMs: timer(1).optional(),
  middleware: middlewareSchema.optional(),
})

/** With every default in place, and durations in whole ms. */
export type ResolvedClientOptions = Defaults<ClientOptions, typeof clientDefaults>

/**
 * The options of a client with every default in place.
 *
 * @throws OptionsError that names the option, what was expected and what came.
 */
export function resolveClientOptions(options: ClientOptions): ResolvedClientOptions {
  const checked = checkOptions('Client', clientSchema, options)
  return { ...clientDefaults, ...given(checked) } as ResolvedClientOptions
}
