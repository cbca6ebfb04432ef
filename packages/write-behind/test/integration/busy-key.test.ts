import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { CacheBusyError } from '../../src/index.ts'
import { useHarness } from '../support/harness.ts'

const bench = useHarness()
let close: (() => void) | undefined
afterEach(() => close?.())

/** A port in front of the database, behind which another process writes to a key before each script runs. */
async function behindAnotherWriter(key: string): Promise<string> {
  const { redis, url } = bench.database()
  const { hostname, port } = new URL(url)
  let writes = 0
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    let turn = Promise.resolve()
    client.on('data', (bytes) => {
      turn = turn.then(async () => {
        if (/\r\neval/i.test(bytes.toString('latin1')))
          await redis.hset(key, 'stamp', `another ${writes++}`, 'state', '{}')
        upstream.write(bytes)
      })
    })
    upstream.on('data', (bytes) => client.write(bytes))
    for (const socket of [client, upstream]) {
      socket.on('error', () => {})
      socket.on('close', () => [client, upstream].forEach((each) => each.destroy()))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  close = () => server.close()
  const near = new URL(url)
  near.port = String((server.address() as AddressInfo).port)
  return near.href
}

test('a write that always meets another writer of its key is refused, and has written nothing', async () => {
  const url = await behindAnotherWriter('write-behind:state:k')
  const cache = bench.cache({ redis: url })
  const error = await cache.writeBehind('k', 1, { persister: 'app.db:save' }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(CacheBusyError)
  expect(error).toMatchObject({
    code: 'ARQ_CACHE_BUSY',
    message: expect.stringMatching(
      /^'k' was not changed: each of 200 attempts met another writer of the key; /,
    ) as string,
  })
  expect(await bench.cache().get('k')).toBeUndefined()
  expect(await bench.cache().dirtyKeys()).toEqual([])
})
