import { describe, expect, test } from 'vitest'
import { Retry } from '../../src/errors.ts'
import { asError } from '../../src/errors/thrown.ts'
import { decodeResult, encodeResult } from '../../src/jobs/index.ts'
import { hostileThrown } from '../support/hostile-thrown.ts'

const READ = ['name', 'message', 'stack', 'code', 'cause', 'deferMs', 'pythonType', 'args', 'attributes'] as const
const job = { jobTry: 1, functionName: 'f', args: [], kwargs: {}, enqueueTimeMs: 0 }
const stored = { success: false, startTimeMs: 0, finishTimeMs: 0, queueName: 'q', jobId: 'id' }

function membersOf(error: Error): unknown[] {
  return READ.map((name) => (error as unknown as Record<string, unknown>)[name])
}

describe('an error that a handler throws', () => {
  test.each(Object.entries(hostileThrown))('can be read at any time: %s', (_, make) => {
    const error = asError(make())
    expect(error).toBeInstanceOf(Error)
    const members = membersOf(error)
    for (let i = 0; i < 8; i++) expect(membersOf(error).every((each, at) => Object.is(each, members[at]))).toBe(true)
    expect([error.name, error.message].every((text) => typeof text === 'string' && text.length < 66_000)).toBe(true)
    expect(error.stack?.length ?? 0).toBeLessThan(140_000)
    // Not by `toBe`, whose report would read what is large.
    expect(asError(error) === error).toBe(true)
  })

  test.each(Object.entries(hostileThrown))('is written as a result of bounded length: %s', (_, make) => {
    for (const codec of ['pickle', 'msgpack', 'json'] as const) {
      const bytes = encodeResult({ ...job, ...stored, result: asError(make()) }, codec)
      expect(bytes.length).toBeLessThan(400_000)
      expect(decodeResult(bytes).record.result).toBeInstanceOf(Error)
    }
  })

  test('stays the same object where it is data of a bounded length', () => {
    class Own extends Error {
      readonly code = 'E_OWN'
      readonly details = { a: 1 }
    }
    const errors = [new Error('x'), new Own('x', { cause: new TypeError('y') }), new Retry({ deferMs: 5 })]
    for (const error of [...errors, AbortSignal.abort().reason as Error]) expect(asError(error)).toBe(error)
  })

  test('stays the same object where its class names its instances, as classes of Prisma do, or its code is null', () => {
    class Named extends Error {
      readonly code = 'P2002'

      get [Symbol.toStringTag]() {
        return 'Named'
      }
    }
    const killed = Object.assign(new Error('killed'), { code: null, signal: 'SIGTERM' })
    for (const error of [new Named('x'), killed]) expect(asError(error)).toBe(error)
  })

  test('keeps its class, its fields and what it says where a member is behind a getter', () => {
    class Own extends Error {
      readonly code = 'E_OWN'
      readonly rows = 3
      override get message() {
        return 'computed'
      }
    }
    const error = asError(new Own())
    expect(error).toBeInstanceOf(Own)
    expect(error).toMatchObject({ name: 'Error', message: 'computed', code: 'E_OWN', rows: 3 })
    const deferred = new Proxy(new Retry({ deferMs: 5 }), {})
    expect(asError(deferred)).toMatchObject({ code: 'ARQ_RETRY', deferMs: 5 })
  })

  test('says how long a long message was, and keeps the frames behind it', () => {
    const error = asError(new Error('x'.repeat(1_000_000)))
    expect(error.message.endsWith('x… (1000000 characters)')).toBe(true)
    expect(error.stack).toMatch(/^Error: x+… \(1000000 characters\)\n\s+at .*thrown\.test/)
  })
})
