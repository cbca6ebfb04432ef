import { MiddlewareError, OptionsError } from '../errors.ts'
import { checkEnqueueOptions } from '../options/enqueue.ts'
import type { EnqueueOptions } from '../options/enqueue.ts'
import { showValue } from '../options/check.ts'
import type { Enqueued, Middleware, OutgoingCall } from './middleware.ts'
import { activeLayers } from './active-layers.ts'
import { callWithin } from './onion.ts'

/** The metadata of a call as its payload carries it. */
export type Metadata = Readonly<Record<string, unknown>>

/** Sends one call by way of the middleware. `send` gets the options and the metadata, if there are any, as they are in the end. */
export type EnqueueWithin = (
  call: { functionName: string; input: unknown; options: EnqueueOptions | undefined },
  send: (options: EnqueueOptions, metadata: Metadata | undefined) => Promise<Enqueued>,
) => Promise<Enqueued>

type EnqueueLayer = NonNullable<Middleware['enqueue']>

/** Asks for the enqueue side of middleware; undefined while none of it is active, so that a call costs nothing more. */
export function enqueueWithin(middleware: readonly Middleware[]): () => EnqueueWithin | undefined {
  const layersNow = activeLayers(middleware, 'enqueue')
  return () => {
    const layers = layersNow()
    return layers.length === 0 ? undefined : (call, send) => sendWithin(layers, call, send)
  }
}

async function sendWithin(
  layers: readonly EnqueueLayer[],
  { functionName, input, options = {} }: Parameters<EnqueueWithin>[0],
  send: Parameters<EnqueueWithin>[1],
): Promise<Enqueued> {
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

function metadataOf({ functionName, metadata }: OutgoingCall): Metadata | undefined {
  if (Object.prototype.toString.call(metadata) === '[object Object]')
    return Object.keys(metadata).length > 0 ? metadata : undefined
  throw new OptionsError(
    `enqueue('${functionName}'): expected the \`metadata\` of a middleware to be an object, got \`${showValue(metadata)}\``,
  )
}
