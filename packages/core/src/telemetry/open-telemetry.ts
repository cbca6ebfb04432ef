/**
 * OpenTelemetry spans of jobs: one of the enqueue, one of each run, in one trace across processes and languages. The
 * context travels in the metadata of the job, which Python ignores.
 */
import type * as Api from '@opentelemetry/api'
import { asError } from '@arq-ts/protocol/errors'
import type { Attributes, Context, Span, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { Enqueued, Middleware, OutgoingCall, RunContext } from '../middleware/middleware.ts'
import { VERSION } from '../version.ts'

/** Key under which every copy of OpenTelemetry's API, of any version 1, keeps what an SDK has registered. */
const REGISTRY = Symbol.for('opentelemetry.js.api.1')

const QUEUE = 'messaging.destination.name'
const JOB_ID = 'messaging.message.id'

/**
 * Middleware that makes a span of each enqueue and of each run, once an OpenTelemetry SDK is set up in the process; until
 * then it is not active, and the API is not even loaded. Clients and workers have it, as the outermost, unless their
 * `middleware` lists it: list it to give it another place.
 */
export function openTelemetry(): Middleware {
  return { isActive: isTracing, enqueue: traceEnqueue, run: traceRun }
}

/** The middleware, with the one for traces before it where it has none. */
export function withOpenTelemetry(middleware: readonly Middleware[]): readonly Middleware[] {
  return hasOpenTelemetry(middleware) ? middleware : [openTelemetry(), ...middleware]
}

/** True where the list has the middleware for traces. */
export function hasOpenTelemetry(middleware: readonly Middleware[]): boolean {
  return middleware.some(({ run }) => run === traceRun)
}

/** True once an SDK has been set up in this process: spans go somewhere. */
function isTracing(): boolean {
  const registry = (globalThis as { [REGISTRY]?: { trace?: unknown } })[REGISTRY]
  return registry?.trace !== undefined
}

let loading: Promise<typeof Api> | undefined

function loadApi(): Promise<typeof Api> {
  return (loading ??= import('@opentelemetry/api'))
}

/** A span over one enqueue, whose context its job carries. */
async function traceEnqueue(call: OutgoingCall, next: () => Promise<Enqueued>): Promise<Enqueued> {
  const { context, propagation, SpanKind } = await loadApi()
  const { functionName, metadata, options } = call
  const attributes = { ...attributesOf(functionName, 'send'), [QUEUE]: options.queueName, [JOB_ID]: options.jobId }
  return spanned(`enqueue ${functionName}`, SpanKind.PRODUCER, context.active(), attributes, async (span) => {
    propagation.inject(context.active(), metadata)
    const outcome = await next()
    span.setAttributes({ [QUEUE]: outcome.job.queueName, [JOB_ID]: outcome.job.jobId })
    return outcome
  })
}

/** A span over one run, in the trace of the enqueue where there is one. The handler's own spans come below it. */
async function traceRun(ctx: RunContext, next: () => Promise<unknown>): Promise<unknown> {
  const { context, propagation, SpanKind } = await loadApi()
  const { functionName, jobId, jobTry, metadata, queueName } = ctx
  const isCarried = propagation.fields().some((field) => field in metadata)
  const parent = propagation.extract(context.active(), isCarried ? metadata : await besideJob(ctx))
  const about = { [QUEUE]: queueName, [JOB_ID]: jobId, 'arq.job.try': jobTry }
  const attributes = { ...attributesOf(functionName, 'process'), ...about }
  return spanned(`run ${functionName}`, SpanKind.CONSUMER, parent, attributes, next)
}

/** The context that a Python producer stored with its job. A trace without its beginning is better than no run. */
async function besideJob({ client, jobId }: RunContext): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await client.jobs.traceContext(jobId)
  } catch {
    return {}
  }
}

/** Names of OpenTelemetry's messaging conventions. */
function attributesOf(functionName: string, operation: 'send' | 'process'): Attributes {
  return { 'messaging.system': 'arq', 'messaging.operation.type': operation, 'arq.job.function': functionName }
}

async function spanned<T>(
  name: string,
  kind: SpanKind,
  parent: Context,
  attributes: Attributes,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const { SpanStatusCode, trace } = await loadApi()
  const tracer = trace.getTracer('@arq-ts/core', VERSION)
  return tracer.startActiveSpan(name, { kind, attributes }, parent, async (span) => {
    try {
      return await work(span)
    } catch (error) {
      failed(span, error, SpanStatusCode.ERROR)
      throw error
    } finally {
      span.end()
    }
  })
}

function failed(span: Span, thrown: unknown, code: SpanStatusCode.ERROR): void {
  const error = asError(thrown)
  if ((error as { code?: unknown }).code === 'ARQ_RETRY') {
    span.addEvent('retry', { reason: error.message })
    return
  }
  span.recordException(error)
  span.setStatus({ code, message: error.message })
}
