import { once } from 'node:events'
import { OptionsError } from '@arq-ts/core'
import { TestQueueError } from '../errors.ts'
import { findProgram, privateServer } from './private-server.ts'
import { connectTo } from './time-proxy.ts'
import type { Upstream } from './time-proxy.ts'

/** Time that a server has to accept a connection, in ms. */
const REACH_MS = 5_000

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
 * @throws TestQueueError where there is none, or it cannot be reached; OptionsError for a URL that is none.
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

/** Clients would know the proxy's address alone, and wait for their time. @throws TestQueueError where nothing listens */
async function reach(upstream: Upstream, address: string): Promise<void> {
  const socket = connectTo(upstream)
  const limit = AbortSignal.timeout(REACH_MS)
  try {
    await once(socket, 'isTls' in upstream && upstream.isTls ? 'secureConnect' : 'connect', { signal: limit })
  } catch (error) {
    const why = limit.aborted ? `it did not answer within ${REACH_MS / 1_000} s` : reasonOf(error)
    throw new TestQueueError(`no Redis for the test queue at ${address}: ${why}`, { cause: error })
  } finally {
    socket.destroy()
  }
}

/** The reason of an error of a connection; an attempt at several addresses has one for each. */
function reasonOf(error: unknown): string {
  const { code, errors, message } = error as NodeJS.ErrnoException & { errors?: readonly Error[] }
  return (errors?.[0]?.message ?? message) || String(code)
}

async function at(text: string, what: string): Promise<FoundServer> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^rediss?:$/.test(url.protocol)) {
    const got = url ? `a URL of \`${url.protocol}\`` : 'a string that is none' // not shown: it may have a password
    throw new OptionsError(`createTestQueue: Expected ${what} to be a URL such as redis://localhost:6379/1, got ${got}`)
  }
  const address = `${url.protocol}//${url.host}${url.pathname}`
  const upstream = {
    host: url.hostname.replace(/^\[|\]$/g, '') || 'localhost',
    port: url.port === '' ? 6_379 : Number(url.port),
    isTls: url.protocol === 'rediss:',
  }
  await reach(upstream, `${address} (of ${what})`)
  return {
    address,
    upstream,
    urlAt(port) {
      const near = new URL(url.href.replace(/^rediss:/, 'redis:'))
      near.hostname = '127.0.0.1'
      near.port = String(port)
      return near.href
    },
  }
}
