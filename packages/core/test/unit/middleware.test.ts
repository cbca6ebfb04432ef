import { expect, test } from 'vitest'
import { Client, createLogger, defineTask, jobLogging, openTelemetry, Worker } from '../../src/index.ts'
import type { Middleware } from '../../src/index.ts'
import { hasJobLogging } from '../../src/logging/job-logging.ts'
import { enqueueWithin } from '../../src/middleware/enqueue-side.ts'
import { callWithin } from '../../src/middleware/onion.ts'
import type { Layer } from '../../src/middleware/onion.ts'
import { observerOf } from '../../src/middleware/observe-side.ts'
import { handlerWithin } from '../../src/middleware/run-side.ts'
import { withOpenTelemetry } from '../../src/telemetry/open-telemetry.ts'

const task = defineTask({ name: 'f', handler: () => 1 })

/** Calls a core that returns 1 within the layers. */
async function call(...layers: Layer<string[]>[]): Promise<{ result: unknown; trail: string[] }> {
  const trail: string[] = []
  const core = () => {
    trail.push('core')
    return 1
  }
  return { result: await callWithin(layers, trail, core, 'the call'), trail }
}

const named =
  (name: string): Layer<string[]> =>
  async (trail, next) => {
    trail.push(`${name} in`)
    const result = await next()
    trail.push(`${name} out`)
    return result
  }

test('the first layer is the outermost', async () => {
  const { result, trail } = await call(named('a'), named('b'))
  expect(trail).toEqual(['a in', 'b in', 'core', 'b out', 'a out'])
  expect(result).toBe(1)
})

test('a layer that does not call `next` leaves out what is within it', async () => {
  expect(await call(named('a'), () => 7, named('c'))).toEqual({ result: 7, trail: ['a in', 'a out'] })
})

test('a layer may replace the result, and turn an error into one', async () => {
  const doubled = await call(async (_, next) => Number(await next()) * 2)
  expect(doubled.result).toBe(2)
  const caught = await call(
    (_, next) => next().catch((error: Error) => error.message),
    () => {
      throw new Error('within')
    },
  )
  expect(caught.result).toBe('within')
})

test.each<[string, Layer<string[]>]>([
  ['awaited', async (_, next) => [await next(), await next()]],
  [
    'not awaited',
    (_, next) => {
      void next()
      void next()
    },
  ],
  [
    'after an error',
    async (_, next) => {
      await next().catch(() => {})
      await next().catch(() => {})
    },
  ],
])('`next` called twice is refused: %s', async (_, layer) => {
  await expect(call(layer)).rejects.toMatchObject({
    code: 'ARQ_MIDDLEWARE',
    message: 'the call: a middleware called `next` twice; call it once',
  })
})

test('each layer has a `next` of its own', async () => {
  const { trail } = await call(
    async (_, next) => next(),
    async (_, next) => next(),
  )
  expect(trail).toEqual(['core'])
})

test('an error that a layer does not await ends neither the process nor the call', async () => {
  const unawaited: Layer<string[]> = (_, next) => {
    void next()
    return 'early'
  }
  const failing = () => Promise.reject(new Error('late'))
  expect(await callWithin([unawaited], [], failing, 'the call')).toBe('early')
})

test('without middleware the handler is the very function of the task, and a client has nothing around it', () => {
  const run = { record: {}, task }
  expect(handlerWithin([], () => true)(run)).toBe(task.handler)
  expect(handlerWithin([{ enqueue: (_, next) => next() }], () => true)(run)).toBe(task.handler)
  expect(handlerWithin([{ run: (_, next) => next() }], () => false)(run)).toBe(task.handler)
  expect(enqueueWithin([{ run: (_, next) => next() }])()).toBeUndefined()
})

test('middleware that is not active costs a call nothing, and comes back when it is', async () => {
  let isActive = false
  const trail: string[] = []
  const middleware: Middleware[] = [
    {
      isActive: () => isActive,
      enqueue: (_, next) => {
        trail.push('enqueue')
        return next()
      },
      run: (_, next) => {
        trail.push('run')
        return next()
      },
      observe: () => {
        trail.push('observe')
        return undefined
      },
    },
  ]
  const run = { record: {}, task }
  const [within, handlerOf, observe] = [
    enqueueWithin(middleware),
    handlerWithin(middleware, () => true),
    observerOf(middleware, { error: () => {} } as never),
  ]
  const attemptOf = () => ({}) as never
  expect([within(), handlerOf(run), observe(run, attemptOf)]).toEqual([undefined, task.handler, undefined])
  isActive = true
  await within()!({ functionName: 'f', input: [], options: undefined }, async () => ({}) as never)
  await handlerOf(run)({ signal: AbortSignal.any([]) } as never)
  observe(run, attemptOf)!({ outcome: 'released', ranMs: 1 })
  expect(trail).toEqual(['enqueue', 'run', 'observe'])
  isActive = false
  expect([within(), handlerOf(run), observe(run, attemptOf)]).toEqual([undefined, task.handler, undefined])
})

test('an observer whose promise is rejected is reported, and does not end the process', async () => {
  const reports: unknown[] = []
  const observe = observerOf([{ observe: () => () => Promise.reject(new Error('later')) }], {
    error: (about: { err: Error }) => void reports.push(about.err.message),
  } as never)
  observe({}, () => ({ jobId: 'j' }) as never)!({ outcome: 'released', ranMs: 1 })
  await new Promise((resolve) => setImmediate(resolve)) // by then Node has reported rejections that nobody handles
  expect(reports).toEqual(['later'])
})

test('an observer that throws is reported, and neither the others nor the job notice it', () => {
  const reports: [{ err?: Error }, string][] = []
  const ends: string[] = []
  const observe = observerOf(
    [
      {
        observe: () => {
          throw new Error('at the start')
        },
      },
      {
        observe: () => () => {
          throw new Error('at the end')
        },
      },
      {
        observe:
          () =>
          ({ outcome }) =>
            void ends.push(outcome),
      },
    ],
    { error: (...report: [{ err?: Error }, string]) => void reports.push(report) } as never,
  )
  observe({}, () => ({ jobId: 'j' }) as never)!({ outcome: 'complete', result: 1, ranMs: 1 })
  expect(ends).toEqual(['complete'])
  expect(reports.map(([{ err }, text]) => [err?.message, text])).toEqual(
    ['at the start', 'at the end'].map((message) => [
      message,
      'a middleware failed to observe job j; the job is not affected',
    ]),
  )
})

test('a list that has the middleware of traces or of the log of jobs is recognized by it, copies too', () => {
  const logger = createLogger({ level: 'silent' })
  expect(withOpenTelemetry([])).toHaveLength(1)
  expect(withOpenTelemetry([{ ...openTelemetry() }])).toHaveLength(1)
  expect(hasJobLogging([{ ...jobLogging({ logger }) }])).toBe(true)
  expect(hasJobLogging([{ observe: () => undefined }])).toBe(false)
})

test.each<[unknown, string]>([
  [[{ enqeue: () => {} }], 'Unknown option `middleware.0.enqeue`, did you mean `enqueue`?'],
  [[{ run: 5 }], 'Expected `middleware.0.run` to be a function, got `5`'],
  [[{}, { enqueue: 'x' }], 'Expected `middleware.1.enqueue` to be a function, got `"x"`'],
  [() => {}, 'Expected `middleware` to be an array, got `a function`'],
  [[() => {}], 'Expected `middleware.0` to be an object, got `a function`'],
])('refuses %j as middleware', (middleware, message) => {
  expect(() => new Client({ middleware: middleware as never })).toThrow(`Client: ${message}`)
  expect(() => new Worker({ tasks: [task], middleware: middleware as never })).toThrow(`Worker: ${message}`)
})
