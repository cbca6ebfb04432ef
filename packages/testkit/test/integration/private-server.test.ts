import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child, eventually } from '@arq-ts/test-support'
import { createTestQueue, TestQueueError } from '@arq-ts/testkit'
import { defineTask } from '@arq-ts/core'
import { afterEach, describe, expect, test } from 'vitest'
import { findProgram, privateServer } from '../../src/server/private-server.ts'

const program = findProgram()
const dist = fileURLToPath(new URL('../../dist/server/private-server.js', import.meta.url))
const path = process.env.PATH!
afterEach(() => {
  process.env.PATH = path
  delete process.env.REDIS_URL
})

function reaches(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = connect(socket, () => {
      client.destroy()
      resolve(true)
    })
    client.on('error', () => resolve(false))
  })
}

describe.skipIf(program === undefined)('the server of a process', () => {
  test('is one for all its queues, and serves them', async () => {
    expect(await privateServer(program!)).toBe(await privateServer(program!))
    const hello = defineTask({ name: 'hello', handler: async () => 'hello' })
    const queue = await createTestQueue({ tasks: [hello], mode: 'inline' })
    const job = await queue.client.enqueue(hello, [])
    expect(await job!.result()).toBe('hello')
    await queue.close()
  })

  test.each(['SIGKILL', 'SIGTERM'] as const)('ends with its process, by %s too', async (signal) => {
    const script = join(mkdtempSync(join(tmpdir(), 'arq-testkit-test-')), 'start.mjs')
    const lines = [
      `import { findProgram, privateServer } from ${JSON.stringify(dist)}`,
      'console.log(await privateServer(findProgram()))',
      'setInterval(() => {}, 1_000)',
    ]
    writeFileSync(script, lines.join('\n'))
    const child = new Child(process.execPath, [script])
    const socket = (await eventually(() => child.lines.find((line) => line.endsWith('redis.sock')), {
      timeoutMs: 30_000,
    }))!
    expect(await reaches(socket)).toBe(true)
    child.kill(signal)
    await child.exited
    await eventually(async () => !(await reaches(socket)))
  })

  test('does not keep its process alive', async () => {
    const script = join(mkdtempSync(join(tmpdir(), 'arq-testkit-test-')), 'end.mjs')
    writeFileSync(
      script,
      `import { findProgram, privateServer } from ${JSON.stringify(dist)}\nawait privateServer(findProgram())\n`,
    )
    const child = new Child(process.execPath, [script])
    expect(await child.exited).toBe(0)
  })
})

describe('without a server on the PATH', () => {
  const hello = defineTask({ name: 'hello', handler: async () => 'hello' })

  test('REDIS_URL is taken', async () => {
    process.env.PATH = ''
    process.env.REDIS_URL = process.env.ARQ_TEST_REDIS_URL!
    const queue = await createTestQueue({ tasks: [hello], mode: 'inline' })
    const job = await queue.client.enqueue(hello, [])
    expect(await job!.result()).toBe('hello')
    await queue.close()
  })

  test('a server that is not there is named at once', async () => {
    const error = await createTestQueue({ tasks: [hello], redis: 'redis://ann:secret@127.0.0.1:1/3' }).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(TestQueueError)
    expect((error as Error).message).toBe(
      'no Redis for the test queue at redis://127.0.0.1:1/3 (of `redis`): connect ECONNREFUSED 127.0.0.1:1',
    )
  })

  test('an address that is no URL of a Redis is refused without showing it', async () => {
    for (const redis of ['localhost:1', 'http://ann:secret@localhost', 'secret'])
      await expect(createTestQueue({ tasks: [hello], redis })).rejects.toThrow(
        /^createTestQueue: Expected `redis` to be a URL such as redis:\/\/localhost:6379\/1, got (a URL of `(localhost|http):`|a string that is none)$/,
      )
  })

  test('without REDIS_URL, the error says what to do', async () => {
    process.env.PATH = ''
    const error = await createTestQueue({ tasks: [hello] }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(TestQueueError)
    expect((error as Error).message).toMatch(/install redis-server or valkey-server, set REDIS_URL/)
  })
})
