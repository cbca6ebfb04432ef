import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Client, defineTask } from '../../src/index.ts'
import { checkEnqueueOptions } from '../../src/options/enqueue.ts'

const boom = () => {
  throw new Error('boom')
}
const params = z.object({ v: z.any() })
const throwing = (path: 'own' | 'deep' | 'trap' | 'keys'): never =>
  ({
    own: Object.defineProperty({}, 'v', { get: boom, enumerable: true }),
    deep: { v: [Object.defineProperty({}, 'a', { get: boom, enumerable: true })] },
    trap: new Proxy({ v: 1 }, { get: boom }),
    keys: { v: new Proxy({}, { ownKeys: boom }) },
  })[path] as never

describe('a value that throws while it is read is refused by an error with a code and the cause:', () => {
  test.each(['own', 'deep', 'trap', 'keys'] as const)('the input of a task, %s', (path) => {
    const task = defineTask({ name: 'f', params, handler: () => 1 })
    const cause = expect.objectContaining({ message: 'boom' }) as Error
    expect(() => task.pack(throwing(path))).toThrow(
      expect.objectContaining({ code: 'ARQ_ARGUMENTS', message: expect.stringContaining('boom') as string, cause }),
    )
  })

  test('a check of a schema', () => {
    const task = defineTask({ name: 'f', params: z.object({ v: z.string().refine(boom) }), handler: () => 1 })
    expect(() => task.pack({ v: 'x' })).toThrow('f() cannot be sent: reading its input throws: boom')
  })

  test('options', () => {
    const options = Object.defineProperty({}, 'queueName', { get: boom, enumerable: true })
    const refusal = expect.objectContaining({
      code: 'ARQ_INVALID_OPTIONS',
      message: expect.stringContaining('reading the options throws: boom') as string,
    }) as Error
    expect(() => checkEnqueueOptions(options)).toThrow(refusal)
    expect(() => new Client(options)).toThrow(refusal)
  })
})
