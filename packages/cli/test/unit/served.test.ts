import { Cluster, Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { addressOfServed, plainServed, servedBy } from '../../src/worker/served.ts'

const served = (redis: Parameters<typeof servedBy>[0]['redis']) => servedBy(redis === undefined ? {} : { redis })

describe('the queues that a worker serves', () => {
  test('are the queues of its options, or the default one', () => {
    expect(servedBy({}).queueNames).toEqual(['arq:queue'])
    expect(servedBy({ queueName: 'own' }).queueNames).toEqual(['own'])
    expect(servedBy({ queues: ['a', { name: 'b', weight: 2 }] }).queueNames).toEqual(['a', 'b'])
  })

  test('is where its options say', () => {
    expect(servedBy({ redis: 'redis://h/3', keyPrefix: 'p:' }).connection).toEqual({
      redis: 'redis://h/3',
      keyPrefix: 'p:',
    })
    expect(servedBy({}).connection).toEqual({})
  })

  test('can be sent to other processes, but not where it is a Cluster or holds what cannot be copied', () => {
    const client = new Redis({ host: 'h', db: 3, lazyConnect: true })
    expect(plainServed(served(client))?.connection.redis).toMatchObject({ host: 'h', db: 3 })
    expect(plainServed(served({ host: 'h', retryStrategy: () => 1 }))?.connection.redis).toEqual({ host: 'h' })
    expect(plainServed(served('redis://h'))?.connection.redis).toBe('redis://h')
    expect(plainServed(served({ tls: { checkServerIdentity: () => undefined } }))).toBeNull()
    const cluster = new Cluster([{ host: 'h' }], { lazyConnect: true })
    expect(plainServed(served(cluster as never))).toBeNull()
    client.disconnect()
    cluster.disconnect()
  })

  test('has an address without a password', () => {
    expect(addressOfServed(served('redis://u:hunter2@h/3'))).toBe('redis://u:***@h/3')
    expect(addressOfServed(served({ host: 'h', db: 3, password: 'hunter2' }))).toBe('redis://h:6379/3')
    expect(addressOfServed(served({ name: 'main', sentinels: [], db: 1 }))).toBe('sentinel main, database 1')
    expect(addressOfServed(served({ path: '/run/redis' }))).toBe('unix:///run/redis, database 0')
    expect(addressOfServed(served(undefined))).toBe('redis://localhost:6379')
  })
})
