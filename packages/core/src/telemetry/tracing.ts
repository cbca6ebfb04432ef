/**
 * OpenTelemetry spans of jobs: one of the enqueue, one of each run, in one trace across processes and languages. The
 * context travels in a key beside the payload, which Python never looks at. Where no SDK is set up nothing is sent,
 * stored or asked.
 */
import type * as Api from '@opentelemetry/api'
import type { Attributes, Context, Span, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { VERSION } from '../version.ts'

/** The part of a trace that a job keeps: W3C `traceparent` and what goes with it. */
export type TraceCarrier = Record<string, string>

/** The job a span is about. */
export interface TracedJob {
  jobId: string
  functionName: string
  queueName: string
}

/** Key under which every copy of OpenTelemetry's API, of any version 1, keeps what an SDK has registered. */
const REGISTRY = Symbol.for('opentelemetry.js.api.1')

/** True once an SDK has been set up in this process: spans go somewhere. Until then the API is not even loaded. */
export function isTracing(): boolean {
  const registry = (globalThis as { [REGISTRY]?: { trace?: unknown } })[REGISTRY]
  return registry?.trace !== undefined
}

let loading: Promise<typeof Api> | undefined

function loadApi(): Promise<typeof Api> {
  return (loading ??= import('@opentelemetry/api'))
}

/** A span over one enqueue, and the context that its job carries. */
export async function traceEnqueue<T>(job: TracedJob, enqueue: (carrier: TraceCarrier) => Promise<T>): Promise<T> {
  const { context, propagation, SpanKind } = await loadApi()
  return spanned(`enqueue ${job.functionName}`, SpanKind.PRODUCER, context.active(), attributesOf(job, 'send'), () => {
    const carrier: TraceCarrier = {}
    propagation.inject(context.active(), carrier)
    return enqueue(carrier)
  })
}

/** A span over one run, in the trace of the enqueue where there is one. The handler's own spans come below it. */
export async function traceRun<T>(
  job: TracedJob & { jobTry: number },
  carrier: TraceCarrier,
  run: () => Promise<T>,
): Promise<T> {
  const { context, propagation, SpanKind } = await loadApi()
  const parent = propagation.extract(context.active(), carrier)
  const attributes = { ...attributesOf(job, 'process'), 'arq.job.try': job.jobTry }
  return spanned(`run ${job.functionName}`, SpanKind.CONSUMER, parent, attributes, run)
}

/** Names of OpenTelemetry's messaging conventions. */
function attributesOf(job: TracedJob, operation: 'send' | 'process'): Attributes {
  return {
    'messaging.system': 'arq',
    'messaging.operation.type': operation,
    'messaging.destination.name': job.queueName,
    'messaging.message.id': job.jobId,
    'arq.job.function': job.functionName,
  }
}

async function spanned<T>(
  name: string,
  kind: SpanKind,
  parent: Context,
  attributes: Attributes,
  work: () => Promise<T>,
): Promise<T> {
  const { SpanStatusCode, trace } = await loadApi()
  const tracer = trace.getTracer('@arq-ts/core', VERSION)
  return tracer.startActiveSpan(name, { kind, attributes }, parent, async (span) => {
    try {
      return await work()
    } catch (error) {
      failed(span, error, SpanStatusCode.ERROR)
      throw error
    } finally {
      span.end()
    }
  })
}

function failed(span: Span, error: unknown, code: SpanStatusCode.ERROR): void {
  if ((error as { code?: unknown } | null)?.code === 'ARQ_RETRY') {
    span.addEvent('retry', { reason: (error as Error).message })
    return
  }
  span.recordException(error instanceof Error ? error : String(error))
  span.setStatus({ code, message: error instanceof Error ? error.message : String(error) })
}
