import { context, SpanKind, SpanStatusCode, trace, propagation } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { eventually, takeDatabase } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Client, cron, defineTask, openTelemetry } from '../../src/index.ts'
import type { JobContext, Middleware } from '../../src/index.ts'
import { next, silent, useHarness } from './support.ts'

const bench = useHarness()
const exporter = new InMemorySpanExporter()

function setUpSdk(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
}

afterEach(() => {
  exporter.reset()
  trace.disable()
  context.disable()
  propagation.disable()
})

const tasks = [
  defineTask({
    name: 'outer',
    handler: async (ctx) => {
      trace.getTracer('handler').startSpan('own work').end()
      await ctx.client.enqueue('inner')
    },
  }),
  defineTask({ name: 'inner', handler: () => Promise.reject(new Error('broken')) }),
]

test('without an SDK nothing is stored with a job', async () => {
  await bench.client().enqueue('outer')
  const redis = new Redis(bench.database().url)
  expect(await redis.keys('arq:trace:*')).toEqual([])
  redis.disconnect()
})

describe('with an SDK', () => {
  test('the context of a job travels in its metadata, and no further key is stored', async () => {
    setUpSdk()
    const carried: unknown[] = []
    const client = bench.client({
      middleware: [
        {
          enqueue: (call, next) => {
            carried.push({ ...call.metadata })
            return next()
          },
        },
      ],
    })
    const job = (await client.enqueue('inner'))!
    const { spanId, traceId } = exporter.getFinishedSpans()[0]!.spanContext()
    expect(carried).toEqual([{ traceparent: `00-${traceId}-${spanId}-01` }])
    expect(await bench.database().redis.exists(`arq:trace:${job.jobId}`)).toBe(0)
  })

  test('the ticks of cron jobs are traces, and a run whose arguments do not fit is a span that failed', async () => {
    setUpSdk()
    const tick = cron('tick', { month: 1, day: 1 }, () => 'ticked', { runAtStartup: true })
    const strict = defineTask({ name: 'strict', params: z.object({ n: z.number() }), handler: (_, { n }) => n })
    await bench.client().enqueue('strict', ['no number'])
    await bench.worker({ tasks: [strict], cron: [tick] })
    const span = (name: string) => exporter.getFinishedSpans().find((each) => each.name === name)
    await eventually(() => expect([span('run tick'), span('run strict')]).not.toContain(undefined))
    expect(span('run tick')!.parentSpanContext?.spanId).toBe(span('enqueue tick')!.spanContext().spanId)
    expect(span('run strict')!.status.code).toBe(SpanStatusCode.ERROR)
  })

  test('a list of middleware that has the one for traces places it, and there is one span of each call', async () => {
    setUpSdk()
    const inner: (string | undefined)[] = []
    const look: Middleware = {
      enqueue: (_, next) => {
        inner.push(trace.getActiveSpan()?.spanContext().spanId)
        return next()
      },
      run: (_, next) => {
        inner.push(trace.getActiveSpan()?.spanContext().spanId)
        return next()
      },
    }
    const middleware = [look, openTelemetry()]
    await bench.worker({ tasks, middleware })
    const job = (await bench.client({ middleware }).enqueue('inner'))!
    await expect(job.result({ timeoutMs: 10_000 })).rejects.toThrow('broken')
    expect(inner).toEqual([undefined, undefined])
    await eventually(() =>
      expect(
        exporter
          .getFinishedSpans()
          .map(({ name }) => name)
          .sort(),
      ).toEqual(['enqueue inner', 'run inner']),
    )
  })

  test('the context of a handler keeps the state of its worker, whatever the names of its fields', async () => {
    setUpSdk()
    const state = { metadata: 'of the worker', functionName: 'too' }
    const look = defineTask({
      name: 'look',
      handler: (ctx: JobContext<typeof state>) => [ctx.metadata, ctx.functionName],
    })
    await bench.worker({ tasks: [look], ctx: state })
    const job = (await bench.client().enqueue(look, []))!
    expect(await job.result({ timeoutMs: 10_000 })).toEqual(['of the worker', 'too'])
  })

  test('enqueues, runs and what handlers do are one trace, across processes', async () => {
    setUpSdk()
    const worker = await bench.worker({ tasks })
    const failed = new Promise<void>((resolve) =>
      worker.on('jobFinished', ({ outcome }) => {
        if (outcome === 'failed') resolve()
      }),
    )
    const job = await bench.client().enqueue('outer')
    await failed
    const spans = exporter.getFinishedSpans()
    const span = (name: string) => spans.find((each) => each.name === name)!
    expect(spans.map((each) => each.name).sort()).toEqual(
      ['enqueue inner', 'enqueue outer', 'own work', 'run inner', 'run outer'].sort(),
    )
    expect(new Set(spans.map((each) => each.spanContext().traceId)).size).toBe(1)
    const parentOf = (name: string) => span(name).parentSpanContext?.spanId
    expect(parentOf('run outer')).toBe(span('enqueue outer').spanContext().spanId)
    expect(parentOf('own work')).toBe(span('run outer').spanContext().spanId)
    expect(parentOf('enqueue inner')).toBe(span('run outer').spanContext().spanId)
    expect(parentOf('run inner')).toBe(span('enqueue inner').spanContext().spanId)
    expect(span('enqueue outer').kind).toBe(SpanKind.PRODUCER)
    expect(span('run outer')).toMatchObject({
      kind: SpanKind.CONSUMER,
      attributes: {
        'messaging.system': 'arq',
        'messaging.message.id': job!.jobId,
        'messaging.destination.name': 'arq:queue',
        'arq.job.try': 1,
      },
    })
    expect(span('run inner').status).toEqual({ code: SpanStatusCode.ERROR, message: 'broken' })
  })

  test("a trace that Python's producer left in the key next to its job continues", async () => {
    setUpSdk()
    const redis = new Redis(bench.database().url)
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await redis.set('arq:trace:from_python', JSON.stringify({ traceparent }))
    redis.disconnect()
    const worker = await bench.worker({ tasks })
    const finished = next(worker, 'jobFinished')
    trace.disable() // the producer of this job knows nothing of traces
    const client = bench.client()
    await client.now() // it asks for nothing more before it sends
    const queued = client.enqueue('outer', [], { jobId: 'from_python' })
    setUpSdk()
    await queued
    await finished
    expect(
      exporter
        .getFinishedSpans()
        .find((each) => each.name === 'run outer')
        ?.spanContext().traceId,
    ).toBe('0af7651916cd43dd8448eb211c80319c')
  })
})

describe('events of workers', () => {
  test('are published while somebody listens', async () => {
    const client = bench.client()
    await bench.worker({ tasks, name: 'w1' })
    const heard: string[] = []
    let finished = () => {}
    const both = new Promise<void>((resolve) => (finished = resolve))
    const stop = await client.workers.listen((event) => {
      heard.push(`${event.event} ${event.functionName} ${event.outcome ?? ''}`.trim())
      if (event.event === 'deadLettered') finished()
    })
    // The worker hears of the listener over another channel than of the job: the first job may be missed.
    while (heard.length === 0) {
      await client.enqueue('outer')
      await new Promise((resolve) => setImmediate(resolve))
    }
    await both
    expect(heard).toContain('jobStarted inner')
    expect(heard).toContain('jobFinished outer complete')
    expect(heard).toContain('jobFinished inner failed')
    stop()
  })

  test("are not published to a listener in another database, though Redis's channels know none", async () => {
    const other = await takeDatabase()
    const elsewhere = new Client({ redis: other.url, logger: silent })
    const client = bench.client()
    await bench.worker({ tasks, name: 'w1' })
    const misdirected: unknown[] = []
    await elsewhere.workers.listen((event) => misdirected.push(event))
    const heard: unknown[] = []
    const stop = await client.workers.listen((event) => heard.push(event))
    while (heard.length === 0) {
      await client.enqueue('inner')
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(misdirected).toEqual([])
    stop()
    await elsewhere.close()
    await other.release()
  })
})
