import { eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openClient } from '../../src/redis/open-client.ts'
import { endWhenSilent } from '../../src/redis/silent-peer.ts'
import { readTarget } from '../../src/redis/target.ts'

let server: RedisServer
const clients: Redis[] = []

beforeAll(async () => {
  server = await RedisServer.start()
})
afterAll(async () => {
  for (const client of clients) client.disconnect()
  await server.stop()
})

async function connected(client: Redis): Promise<Redis> {
  clients.push(client)
  client.on('error', () => {})
  await client.connect()
  await client.ping()
  return client
}

const plain = () => new Redis(server.url, { lazyConnect: true, maxRetriesPerRequest: 0, protocol: 2 })

test('ends the connection to a server that stands still while a command waits, and opens another one', async () => {
  const client = plain()
  endWhenSilent(client, 50)
  await connected(client)
  server.pause()
  try {
    await expect(client.get('key')).rejects.toThrow()
    expect(client.status).not.toBe('ready')
  } finally {
    server.resume()
  }
  await eventually(() => client.status === 'ready')
  expect(await client.get('key')).toBeNull()
})

test('ends a silent connection little later than the time that it allows', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  try {
    const client = plain()
    endWhenSilent(client)
    await connected(client)
    vi.advanceTimersByTime(3_000)
    server.pause()
    const refused = expect(client.get('key')).rejects.toThrow()
    vi.advanceTimersByTime(14_000)
    expect(client.status).toBe('ready')
    vi.advanceTimersByTime(3_000)
    const { stream } = client as unknown as { stream: { destroyed: boolean } }
    expect(stream.destroyed).toBe(true)
    server.resume()
    await refused
  } finally {
    server.resume()
    vi.useRealTimers()
  }
})

test('leaves a connection alone on which nothing is asked', async () => {
  const [idle, other] = [plain(), plain()]
  endWhenSilent(idle, 5)
  await Promise.all([connected(idle), connected(other)])
  let closed = 0
  idle.on('close', () => closed++)
  for (let i = 0; i < 10; i++) await other.blpop('nothing', 0.02) // forty times as long, by Redis's clock
  expect(closed).toBe(0)
})

test('is done on each connection of ours, in place of the timer of ioredis', async () => {
  const client = await connected(openClient(readTarget(server.url), 'commands', () => {}))
  const plainListeners = (await connected(plain())).listenerCount('connect')
  expect(client.options.socketTimeout).toBeUndefined()
  // The reader of replies is the other one.
  expect(client.listenerCount('connect')).toBe(plainListeners + 2)
})
