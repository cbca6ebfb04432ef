import { Cluster, Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { Client, OptionsError } from '../../src/index.ts'

const keyPrefix = 'app:'
const lazy = { lazyConnect: true, keyPrefix }

describe("ioredis's own keyPrefix is refused, with a word on ours:", () => {
  test.each([
    ['in options', { host: 'h', keyPrefix }],
    ['in a URL', `redis://h/1?keyPrefix=${keyPrefix}`],
    ['in a URL without a scheme', `h:6379?keyPrefix=${keyPrefix}`],
    ['in the path of a socket', `/run/redis.sock?keyPrefix=${keyPrefix}`],
    ['in a client', new Redis(lazy)],
    ['in a cluster', new Cluster(['redis://h'], lazy)],
    ['in the nodes of a cluster', new Cluster(['redis://h'], { lazyConnect: true, redisOptions: { keyPrefix } })],
  ])('%s', (_, redis) => {
    const make = () => new Client({ redis })
    expect(make).toThrow(OptionsError)
    expect(make).toThrow(/Expected `redis` to be settings without `keyPrefix`: .* option `keyPrefix` beside `redis`/)
  })

  test('an empty one prefixes nothing', async () => {
    const client = new Client({ redis: { keyPrefix: '', port: 1 }, logLevel: 'silent' })
    await client.close()
  })
})
