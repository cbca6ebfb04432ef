import { fileURLToPath } from 'node:url'
import { ARQ_VERSIONS, Child, pythonArq, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ArgumentsError, Client, Decimal, pythonTask, ResultError, Uuid } from '../../src/index.ts'
import { silent } from '../integration/support.ts'

const codecs = ['pickle', 'msgpack'] as const
const timeoutMs = 20_000

let database: Database
let client: Client
const workers: Child[] = []

beforeAll(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, logger: silent })
  const python = await pythonArq(ARQ_VERSIONS.at(-1)!)
  const script = fileURLToPath(new URL('./contract_worker.py', import.meta.url))
  for (const codec of codecs) workers.push(new Child(python, ['-u', script, database.url, `q:${codec}`, codec]))
  await Promise.all(workers.map((worker) => worker.line(/^ready/)))
})
afterAll(async () => {
  for (const worker of workers) await worker.stop()
  await client.close()
  await database.release()
})

describe('a function of Python that takes Decimals gets and gives what its contract says', () => {
  const charge = pythonTask({
    name: 'charge',
    codec: 'pickle',
    params: z.object({ customer: z.string(), amount: z.instanceof(Decimal).optional(), note: z.string().nullish() }),
    returns: z.object({
      id: z.instanceof(Uuid),
      at: z.date(),
      customer: z.string(),
      amount: z.instanceof(Decimal),
      note: z.string().nullable(),
      lines: z.tuple([z.string(), z.bigint()]),
    }),
  })
  const options = { queueName: 'q:pickle' }

  test('with its values, positional or by keyword alone in Python', async () => {
    const input = { customer: 'ada', amount: new Decimal('9.90'), note: 'thanks' }
    const result = await (await client.enqueue(charge, input, options))!.result({ timeoutMs })
    expect(result).toMatchObject({ customer: 'ada', note: 'thanks', lines: ['a', 2n ** 70n] })
    expect([String(result.amount), String(result.id)]).toEqual(['9.90', '00000000-0000-0000-0000-000000000007'])
    expect(result.at.toISOString()).toBe('2026-01-02T03:04:05.000Z')
  })

  test("with Python's defaults for what is left out, or given as undefined", async () => {
    const input = { customer: 'ada', amount: undefined }
    const result = await (await client.enqueue(charge, input, options))!.result({ timeoutMs })
    expect([String(result.amount), result.note]).toEqual(['1.50', null])
  })

  test('an error names the path where Python returns something else', async () => {
    const wrong = pythonTask({ name: 'charge', codec: 'pickle', returns: z.object({ amount: z.number() }) })
    const job = await client.enqueue(wrong, ['ada'], options)
    const error = await job!.result({ timeoutMs }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ResultError)
    expect((error as Error).message).toMatch(/charge\(\).*`amount`/)
  })
})

describe.each(codecs)('over %s, a function of Python', (codec) => {
  const options = { queueName: `q:${codec}` }
  const greet = pythonTask({
    name: 'greet',
    codec,
    params: z.looseObject({
      name: z.string().transform((name) => name.trim()),
      greeting: z.string().default('good day'),
      loud: z.boolean().optional(),
    }),
    returns: z.tuple([z.string(), z.array(z.string())]),
  })

  test('gets defaults and transforms of the schema, which nothing would apply there', async () => {
    const job = await client.enqueue(greet, { name: '  ada ' }, options)
    expect(await job!.result({ timeoutMs })).toEqual(['good day ada', []])
  })

  test('gets keywords, those of a loose schema too', async () => {
    const job = await client.enqueue(greet, { name: 'ada', loud: true, more: 1, other: 2 }, options)
    expect(await job!.result({ timeoutMs })).toEqual(['GOOD DAY ADA', ['more', 'other']])
  })

  test('gets values as Python has them', async () => {
    const params = z.object({ whole: z.number(), part: z.number(), none: z.null(), flags: z.array(z.boolean()) })
    const kinds = pythonTask({ name: 'kinds', codec, params, returns: z.record(z.string(), z.string()) })
    const job = await client.enqueue(kinds, { whole: 1, part: 0.5, none: null, flags: [true] }, options)
    expect(await job!.result({ timeoutMs })).toEqual({ whole: 'int', part: 'float', none: 'NoneType', flags: 'list' })
  })

  test('is not called with what its contract refuses', async () => {
    await expect(client.enqueue(greet, { name: 5 } as never, options)).rejects.toThrow(ArgumentsError)
    const unsure = pythonTask({ name: 'greet', codec, params: z.object({ name: z.string().refine(async () => true) }) })
    await expect(client.enqueue(unsure, { name: 'ada' }, options)).rejects.toThrow('its schema is asynchronous')
  })
})
