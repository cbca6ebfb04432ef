import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client, createLogger, Retry } from '../../src/index.ts'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'

let database: Database
let client: Client

beforeAll(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
})

afterAll(async () => {
  await client.close()
  await database.release()
})

/** Public methods, each taking one value in the place of an argument. */
const nouns = { jobs: 1, deadLetters: 1, queues: 1, workers: 1 } as const
/** Methods without arguments. */
const WITHOUT_ARGUMENTS = new Set(['deadLetters.count', 'workers.list', 'queues.paused'])
/** @internal ones, which only core itself calls. */
const INTERNAL = new Set(['queues.joined', 'queues.namesBy'])

function methodsOf(noun: keyof typeof nouns): string[] {
  const prototype = Object.getPrototypeOf(client[noun]) as object
  return Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([name, { value }]) => name !== 'constructor' && typeof value === 'function')
    .map(([name]) => name)
    .filter((name) => !WITHOUT_ARGUMENTS.has(`${noun}.${name}`) && !INTERNAL.has(`${noun}.${name}`))
}

async function outcomeOf(noun: keyof typeof nouns, name: string, value: unknown): Promise<unknown> {
  const called = (client[noun] as unknown as Record<string, (...args: unknown[]) => unknown>)[name]!(value)
  const iterator = called as AsyncIterator<unknown>
  return typeof iterator.next === 'function' ? iterator.next() : called
}

describe.each(Object.keys(nouns) as (keyof typeof nouns)[])('every method of client.%s', (noun) => {
  test('refuses a number, a boolean and an unknown option, and names itself', async () => {
    for (const name of methodsOf(noun)) {
      for (const wrong of [5, true, null, { nonsense: 1 }, Symbol.iterator]) {
        const outcome = await outcomeOf(noun, name, wrong).then(
          () => null,
          (error: unknown) => error,
        )
        expect(outcome, `${noun}.${name}(${String(wrong)})`).toMatchObject({
          code: 'ARQ_INVALID_OPTIONS',
          message: expect.stringContaining(`${noun}.${name}: `) as string,
        })
      }
    }
  })
})

describe('acts on many', () => {
  test('ask for a filter or { all: true }', async () => {
    const none = {} as { all: true }
    for (const act of [
      client.deadLetters.purge(none),
      client.deadLetters.retry(none),
      client.queues.purge('q', none),
    ]) {
      await expect(act).rejects.toMatchObject({
        code: 'ARQ_INVALID_OPTIONS',
        message: expect.stringContaining('{ all: true }') as string,
      })
    }
    await expect(client.deadLetters.purge({ all: true, queueName: 'q' } as never)).rejects.toThrow('not both')
    expect(await client.deadLetters.purge({ all: true })).toBe(0)
  })
})

describe('a wrong argument of a job or a client', () => {
  test.each([
    ['job.result(100)', () => client.job('x').result(100 as never), 'Expected an options object, got `100`'],
    ['job.result({ timeout })', () => client.job('x').result({ timeout: 1 } as never), 'did you mean `timeoutMs`'],
    ['job.abort({ timeout })', () => client.job('x').abort({ timeout: 1 } as never), 'did you mean `timeoutMs`'],
    ['enqueue("", [])', () => client.enqueue('', []), 'Expected `task`'],
    ['enqueue(undefined)', () => client.enqueue(undefined as unknown as string, []), 'Expected `task`'],
    ['enqueue with _job_id', () => client.enqueue('f', [], { _job_id: 'x' } as never), 'did you mean `jobId`'],
    ['queuedJobs({ queue })', () => client.queuedJobs({ queue: 'x' } as never), 'did you mean `queueName`'],
    ['client.job(5)', async () => client.job(5 as never), 'Expected `jobId`'],
    ['new Retry(5)', async () => new Retry(5 as never), '`{ deferMs }`'],
    ['new Retry({ defer })', async () => new Retry({ defer: 5 } as never), 'did you mean `deferMs`'],
  ])('is refused with what is due: %s', async (_, call, expected) => {
    await expect((async () => call())()).rejects.toMatchObject({
      code: 'ARQ_INVALID_OPTIONS',
      message: expect.stringContaining(expected) as string,
    })
  })
})
