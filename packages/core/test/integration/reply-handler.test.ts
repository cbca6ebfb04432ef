import { RedisServer } from '@arq-ts/test-support'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { openClient } from '../../src/redis/open-client.ts'
import { ReplyReader } from '../../src/redis/reply-reader.ts'
import { readTarget } from '../../src/redis/target.ts'

let server: RedisServer
const clients: Redis[] = []
beforeAll(async () => (server = await RedisServer.start()))
afterEach(() => {
  vi.restoreAllMocks()
  for (const client of clients.splice(0)) client.disconnect()
})
afterAll(() => server.stop())

async function open(use: 'commands' | 'channels'): Promise<Redis> {
  const client = openClient(readTarget(server.url), use, () => {})
  clients.push(client)
  await client.connect()
  return client
}

/** Listeners to the socket of a client. */
const listeners = (client: Redis) => (client as unknown as { stream: NodeJS.EventEmitter }).stream.listenerCount('data')

test('replies are read by our own reader alone, from the handshake on and after each reconnection', async () => {
  const write = vi.spyOn(ReplyReader.prototype, 'write')
  const client = await open('commands')
  expect(write).toHaveBeenCalled()
  for (const _ of [1, 2]) {
    expect(listeners(client)).toBe(1)
    write.mockClear()
    expect(await client.ping()).toBe('PONG')
    expect(write).toHaveBeenCalledOnce()
    const again = new Promise<void>((resolve) => client.once('ready', resolve))
    client.disconnect(true)
    await again
  }
  await expect(client.call('NONE')).rejects.toThrow("ERR unknown command 'NONE'")
})

test('so are messages', async () => {
  const [listener, sender] = await Promise.all([open('channels'), open('commands')])
  const heard = new Promise((resolve) => listener.once('messageBuffer', (...message) => resolve(message.map(String))))
  await listener.subscribe('news')
  await sender.publish('news', 'of the day')
  expect(await heard).toEqual(['news', 'of the day'])
  expect(listeners(listener)).toBe(1)
})
