import { MiddlewareError, OptionsError } from '../errors.ts'
import { checkEnqueueOptions } from '../options/enqueue.ts'
import type { EnqueueOptions } from '../options/enqueue.ts'
import { showValue } from '../options/check.ts'
import type { Enqueued, Middleware, OutgoingCall } from './middleware.ts'
import { callWithin } from './onion.ts'

/** The metadata of a call as its payload carries it. */
export type Metadata = Readonly<Record<string, unknown>>

/** Sends one call by way of the middleware. `send` gets the options and the metadata, if there are any, as they are in the end. */
export type EnqueueWithin = (
  call: { functionName: string; input: unknown; options: EnqueueOptions | undefined },
  send: (options: EnqueueOptions, metadata: Metadata | undefined) => Promise<Enqueued>,
) => Promise<Enqueued>

/** The enqueue side of middleware; undefined where none of it has one, so that a call costs nothing more. */
export function enqueueWithin(middleware: readonly Middleware[]): EnqueueWithin | undefined {
  const layers = middleware.flatMap(({ enqueue }) => enqueue ?? [])
  if (layers.length === 0) return undefined
  return async ({ functionName, input, options = {} }, send) => {
    checkEnqueueOptions(options)
    const call: OutgoingCall = { functionName, input, options: { ...options }, metadata: {} }
    const what = `enqueue('${functionName}')`
    let sent: Promise<Enqueued> | undefined
    await callWithin(layers, call, () => (sent = send(call.options, metadataOf(call))), what)
    if (sent) return sent
    throw new MiddlewareError(
      `${what}: a middleware neither called \`next\` nor threw, and nothing was enqueued; throw an error to refuse a call`,
    )
  }
}

function metadataOf({ functionName, metadata }: OutgoingCall): Metadata | undefined {
  if (Object.prototype.toString.call(metadata) === '[object Object]')
    return Object.keys(metadata).length > 0 ? metadata : undefined
  throw new OptionsError(
    `enqueue('${functionName}'): expected the \`metadata\` of a middleware to be an object, got \`${showValue(metadata)}\``,
  )
}
