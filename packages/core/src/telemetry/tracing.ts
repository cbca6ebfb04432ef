/**
 * OpenTelemetry spans of jobs: one of the enqueue, one of each run, in one trace across processes and languages. The
 * context travels in a key beside the payload, which Python never looks at. Where no SDK is set up nothing is sent,
 * stored or asked.
 */
import { context, propagation, ProxyTracerProvider, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Attributes, Span } from '@opentelemetry/api'
import { VERSION } from '../version.ts'

/** What is kept of a trace: W3C `traceparent` and what goes with it. */
export type TraceCarrier = Record<string, string>

/** The job a span is about. */
export interface TracedJob {
  jobId: string
  functionName: string
  queueName: string
}

/** What the API gives while no SDK is there. */
const nobody = new ProxyTracerProvider().getDelegate()

/** Whether spans go anywhere: an SDK has been set up in this process. */
export function isTracing(): boolean {
  const provider = trace.getTracerProvider()
  return provider instanceof ProxyTracerProvider ? provider.getDelegate() !== nobody : true
}

/** A span over one enqueue, and the context that its job carries. */
export async function traceEnqueue<T>(job: TracedJob, enqueue: (carrier: TraceCarrier) => Promise<T>): Promise<T> {
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
  parent: ReturnType<typeof context.active>,
  attributes: Attributes,
  work: () => Promise<T>,
): Promise<T> {
  const tracer = trace.getTracer('@arq-ts/core', VERSION)
  return tracer.startActiveSpan(name, { kind, attributes }, parent, async (span) => {
    try {
      return await work()
    } catch (error) {
      failed(span, error)
      throw error
    } finally {
      span.end()
    }
  })
}

function failed(span: Span, error: unknown): void {
  if ((error as { code?: unknown } | null)?.code === 'ARQ_RETRY') {
    span.addEvent('retry', { reason: (error as Error).message })
    return
  }
  span.recordException(error instanceof Error ? error : String(error))
  span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) })
}
