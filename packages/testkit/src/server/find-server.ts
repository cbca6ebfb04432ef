import { OptionsError } from '@arq-ts/core'
import { TestQueueError } from '../errors.ts'
import { findProgram, privateServer } from './private-server.ts'
import type { Upstream } from './time-proxy.ts'

/** A server, and what its clients need in addition to host and port: user, password, database. */
export interface FoundServer {
  upstream: Upstream
  /** Its address for messages, without user and password. */
  address: string
  /** URL under which clients reach it by a port of this machine. */
  urlAt: (port: number) => string
}

/**
 * The server of a test queue: the one that `redis` names, else one of this process's own where the PATH has a
 * redis-server or valkey-server, else the one of REDIS_URL.
 *
 * @throws TestQueueError where there is none; OptionsError for a URL that is none.
 */
export async function findServer(redis: string | undefined): Promise<FoundServer> {
  if (redis !== undefined) return at(redis, '`redis`')
  const program = findProgram()
  if (program !== undefined) {
    const path = await privateServer(program)
    return { upstream: { path }, address: "this process's own server", urlAt: (port) => `redis://127.0.0.1:${port}` }
  }
  if (process.env.REDIS_URL) return at(process.env.REDIS_URL, 'REDIS_URL')
  throw new TestQueueError(
    'no Redis for the test queue: install redis-server or valkey-server, set REDIS_URL, or give the URL as `redis`; ' +
      '`createInlineQueue` and `runTask` need none',
  )
}

function at(text: string, what: string): FoundServer {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^rediss?:$/.test(url.protocol))
    throw new OptionsError(`createTestQueue: expected ${what} to be a URL such as redis://localhost:6379/1`)
  return {
    address: `${url.protocol}//${url.host}${url.pathname}`,
    upstream: {
      host: url.hostname.replace(/^\[|\]$/g, '') || 'localhost',
      port: url.port === '' ? 6_379 : Number(url.port),
      isTls: url.protocol === 'rediss:',
    },
    urlAt(port) {
      const near = new URL(url.href.replace(/^rediss:/, 'redis:'))
      near.hostname = '127.0.0.1'
      near.port = String(port)
      return near.href
    },
  }
}
