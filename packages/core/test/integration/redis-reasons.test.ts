import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { eventually, freePort, RedisCluster, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Client, createLogger, defineTask, RedisReplyError, RedisUnavailableError, Worker } from '../../src/index.ts'
import type { ClientOptions } from '../../src/index.ts'
import { silent } from './support.ts'

/** A logger, and its lines as objects. */
function recorder() {
  const lines: { level: number; msg: string; err?: { message: string } }[] = []
  const logger = createLogger({
    level: 'info',
    destination: { write: (line: string) => void lines.push(JSON.parse(line)) },
  } as never)
  return { logger, lines, warnings: () => lines.filter(({ level }) => level >= 40).map(({ msg }) => msg) }
}

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

function clientOf(options: ClientOptions): Client {
  const client = new Client({ logger: silent, commandTimeoutMs: 1_500, ...options })
  closing.push(() => client.close())
  return client
}

async function startServer(...args: string[]): Promise<{ server: RedisServer; admin: Redis }> {
  const server = await RedisServer.start({ args })
  const admin = new Redis(server.url)
  admin.on('error', () => {})
  closing.push(
    () => server.stop(),
    () => admin.disconnect(),
  )
  return { server, admin }
}

/** Error of a call, and the lines of the log meanwhile. */
interface Unreachable {
  url: string
  address: string
  reason: RegExp
}

async function failure(redis: ClientOptions['redis']) {
  const { logger, warnings } = recorder()
  const error = await clientOf({ redis: redis!, logger })
    .enqueue('f')
    .then(
      () => new Error('it was enqueued'),
      (reason: unknown) => reason as Error,
    )
  return { error, warnings: warnings() }
}

describe('a Redis that cannot be reached: host, port and reason stand in the error and, once, in the log', () => {
  test.each<[string, () => Promise<Unreachable>]>([
    [
      'a port where nobody listens',
      async () => {
        const port = await freePort()
        return {
          url: `redis://127.0.0.1:${port}`,
          address: `127.0.0.1:${port}`,
          reason: /connection refused.*ECONNREFUSED/,
        }
      },
    ],
    [
      'a host name of two addresses where nobody listens',
      async () => {
        const port = await freePort()
        return { url: `redis://localhost:${port}`, address: `localhost:${port}`, reason: /connection refused/ }
      },
    ],
    [
      'an unknown host',
      async () => ({
        url: 'redis://no-such-host.invalid:6379',
        address: 'no-such-host.invalid:6379',
        reason: /the host is unknown|cannot be resolved/,
      }),
    ],
    [
      'a socket that is not there',
      async () => ({ url: '/nowhere/redis.sock', address: '/nowhere/redis.sock', reason: /there is no such socket/ }),
    ],
    [
      'an HTTP server',
      async () => {
        const http = createServer((_request, response) => response.end()).listen(0, '127.0.0.1')
        await new Promise((resolve) => http.once('listening', resolve))
        closing.push(
          () => http.closeAllConnections(),
          () => http.close(),
        )
        const { port } = http.address() as AddressInfo
        return { url: `redis://127.0.0.1:${port}`, address: `127.0.0.1:${port}`, reason: /is not Redis.*HTTP server/ }
      },
    ],
    [
      'TLS to a plain port',
      async () => {
        const { server } = await startServer()
        return {
          url: `rediss://127.0.0.1:${server.port}`,
          address: `127.0.0.1:${server.port}`,
          reason: /no answer to TLS; does the port speak it\?/,
        }
      },
    ],
    [
      'a server with too many clients',
      async () => {
        const { server, admin } = await startServer()
        await admin.config('SET', 'maxclients', '1')
        return {
          url: server.url,
          address: `127.0.0.1:${server.port}`,
          reason: /max number of clients reached/,
        }
      },
    ],
    [
      'a server that says its reason and closes before it reads a word',
      async () => {
        const refusing = createTcpServer((socket) => {
          socket.on('error', () => {})
          socket.end('-DENIED Redis is running in protected mode\r\n')
          setImmediate(() => socket.resetAndDestroy())
        }).listen(0, '127.0.0.1')
        await new Promise((resolve) => refusing.once('listening', resolve))
        closing.push(() => refusing.close())
        const { port } = refusing.address() as AddressInfo
        return { url: `redis://127.0.0.1:${port}`, address: `127.0.0.1:${port}`, reason: /^.*DENIED.*protected mode/ }
      },
    ],
  ])('%s', async (_, start) => {
    const { url, address, reason } = await start()
    const { error, warnings } = await failure(url)
    expect(error).toBeInstanceOf(RedisUnavailableError)
    expect(error.message).toContain(`Redis at ${address} did not answer within 1500 ms: `)
    expect(error.message).toMatch(reason)
    // A TLS handshake that is not answered is waited for longer than this call does.
    if (url.startsWith('rediss:')) return
    expect(error.cause).toBeInstanceOf(Error)
    // The first attempt may only learn that the connection was closed.
    const expected = expect.stringMatching(reason) as string
    expect(warnings.filter((text) => !/write EPIPE|was closed|was reset/.test(text))).toEqual([expected])
    expect(warnings.at(-1)).toContain(`redis connection to ${address} `)
    expect(warnings.at(-1)).toContain('cannot be opened, trying again: ')
  })
})

describe('a Redis that refuses', () => {
  test('the user: the address and the reason stand in the error', async () => {
    const { server, admin } = await startServer()
    await admin.config('SET', 'requirepass', 'right')
    for (const [auth, prefix] of [
      ['', 'NOAUTH'],
      [':wrong@', 'WRONGPASS'],
    ]) {
      const { error, warnings } = await failure(`redis://${auth}127.0.0.1:${server.port}`)
      expect(error).toBeInstanceOf(RedisReplyError)
      expect(error.message).toMatch(`Redis refuses the user or the password at 127.0.0.1:${server.port}: ${prefix}`)
      expect(warnings).toHaveLength(1)
    }
  })

  test('a command: the reply stands in the error', async () => {
    const { server, admin } = await startServer()
    await admin.call('ACL', 'SETUSER', 'weak', 'on', '>word', '~*', '&*', '+@all', '-evalsha', '-eval')
    const { error } = await failure(`redis://weak:word@127.0.0.1:${server.port}`)
    expect(error).toMatchObject({ code: 'ARQ_REDIS_REPLY', prefix: 'NOPERM' })
  })
})

test('a node of a cluster that is given as a single server: the error says how to give it', async () => {
  const cluster = await RedisCluster.start({ primaries: 2 })
  closing.push(() => cluster.stop())
  const { error } = await failure(cluster.primaries[0]!.server.url)
  expect(error).toMatchObject({ code: 'ARQ_REDIS_REPLY', prefix: 'CROSSSLOT' })
  expect(error.message).toContain('keyPrefix needs a hash tag')
  // The slot of this tag is at the other node.
  const client = clientOf({ redis: cluster.primaries[0]!.server.url, keyPrefix: '{q}:' })
  await expect(client.enqueue('f')).rejects.toThrow(/MOVED .*give it as redis: \{ cluster/)
})

describe('a refusal that passes is logged with its reason, once, and when it is over', () => {
  const task = (handler: () => unknown) => defineTask({ name: 'f', handler: () => handler() })

  test('memory that is full while a job settles', async () => {
    const { server, admin } = await startServer()
    const { logger, lines, warnings } = recorder()
    const full = () => admin.config('SET', 'maxmemory', '1')
    const worker = new Worker({ redis: server.url, tasks: [task(full)], logger, handleSignals: false })
    const running = worker.run()
    closing.push(() => worker.stop().then(() => running))
    const job = await clientOf({ redis: server.url }).enqueue('f')
    const line = await eventually(() => warnings().find((text) => text.includes('OOM')))
    expect(line).toMatch(
      `Redis at 127.0.0.1:${server.port} refuses calls, which are sent again until it takes them: OOM`,
    )
    await admin.config('SET', 'maxmemory', '0')
    expect(await job!.result({ timeoutMs: 10_000 })).toBe('OK')
    await eventually(() => lines.some(({ msg }) => msg.includes('takes calls again (OOM is over)')))
    expect(warnings().filter((text) => text.includes('OOM'))).toHaveLength(1)
  })

  test('a replica that takes no writes, until it is a primary', async () => {
    const { server, admin } = await startServer()
    await admin.replicaof('127.0.0.1', await freePort())
    const { logger, lines, warnings } = recorder()
    const client = clientOf({ redis: server.url, logger, commandTimeoutMs: 60_000 })
    const late = client.enqueue('f')
    await eventually(() => warnings().some((text) => text.includes('READONLY')))
    // It is left and found again, quietly.
    const connections = async () => Number(/total_connections_received:(\d+)/.exec(await admin.info('stats'))![1])
    const before = await connections()
    await eventually(async () => (await connections()) >= before + 2)
    await admin.replicaof('NO', 'ONE')
    expect(await late).not.toBeNull()
    await eventually(() => lines.some(({ msg }) => msg.includes('READONLY is over')))
    expect(warnings()).toEqual([expect.stringContaining("READONLY You can't write against a read only replica")])
  })
})

describe('options of ioredis that change replies', () => {
  test('do not change what a client does', async () => {
    const { server } = await startServer()
    const redis = { port: server.port, stringNumbers: true, enableAutoPipelining: true, showFriendlyErrorStack: true }
    const client = clientOf({ redis })
    const job = await client.enqueue('f', [1])
    expect(job).not.toBeNull()
    expect(await client.enqueue('f', [], { jobId: job!.jobId })).toBeNull()
    expect(await job!.status()).toBe('queued')
  })
})

describe('the console gets nothing', () => {
  beforeEach(() => {
    for (const level of ['log', 'warn', 'error'] as const) vi.spyOn(console, level)
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  const nothing = () => {
    for (const level of ['log', 'warn', 'error'] as const) expect(console[level]).not.toHaveBeenCalled()
  }

  test('about a password that the server does not need: the logger does', async () => {
    const { server } = await startServer()
    const { logger, warnings } = recorder()
    const client = clientOf({ redis: `redis://:needless@127.0.0.1:${server.port}`, logger })
    expect(await client.enqueue('f')).not.toBeNull()
    expect(warnings()).toEqual([expect.stringContaining('Redis needs no password, though one was given')])
    nothing()
  })

  test('about an INFO that the user may not send', async () => {
    const { server, admin } = await startServer()
    await admin.call('ACL', 'SETUSER', 'weak', 'on', '>word', '~*', '&*', '+@all', '-info')
    const client = clientOf({ redis: `redis://weak:word@127.0.0.1:${server.port}` })
    expect(await client.enqueue('f')).not.toBeNull()
    nothing()
  })
})

test('a server that stands still is distinguished from one that is away: it takes the connection', async () => {
  const { server } = await startServer()
  const client = new Client({ redis: server.url, logger: createLogger({ level: 'silent' }), commandTimeoutMs: 1_000 })
  server.pause()
  try {
    await expect(client.now()).rejects.toThrow(/within 1000 ms: it takes connections and answers nothing/)
  } finally {
    server.resume()
    await client.close()
  }
})
