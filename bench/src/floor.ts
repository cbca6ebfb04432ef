// The floor: what this Redis takes to execute the very commands that our wire needs for a job. The commands are made
// by the library's own broker, in full batches, before the clock starts; then they are written to one socket, and the
// replies are only waited for. No client can be faster with this protocol on this server.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { Broker, loadDriver, luaSources, RedisClock } from '@arq-ts/core/internal'
import { encodeJob, encodeResult, Keys } from '@arq-ts/protocol'
import { nowUs } from './peers/harness.ts'
import type { BenchServer } from './server.ts'

const QUEUE = 'bench'
const TOKEN = `floor:${randomUUID()}/${randomUUID()}`
const LEASE_MS = 30_000
const RESULT_TTL_MS = 3_600_000

export interface Floor {
  enqueuePerSecond: number
  workPerSecond: number
  /** CPU time of Redis per job, in µs. */
  enqueueRedisUs: number
  workRedisUs: number
}

export async function measureFloor(server: BenchServer, jobs: number, batch: number): Promise<Floor> {
  const ids = Array.from({ length: jobs }, () => randomUUID().replaceAll('-', '')).sort()
  const commands = await record(ids, batch)
  await server.clear()
  for (const source of Object.values(luaSources)) await server.client.script('LOAD', source)
  const enqueue = await replay(server, commands.enqueue)
  const queued = await server.client.zcard(QUEUE)
  const work = await replay(server, commands.work)
  const left = await server.client.zcard(QUEUE)
  const results = await server.client.dbsize()
  // One key counts what became of the jobs.
  if (queued !== jobs || left !== 0 || results !== jobs + 1)
    throw new Error(`the floor's commands did not do their work: ${queued} queued, ${left} left, ${results} keys`)
  return {
    enqueuePerSecond: (jobs / enqueue.us) * 1e6,
    workPerSecond: (jobs / work.us) * 1e6,
    enqueueRedisUs: enqueue.redisUs / jobs,
    workRedisUs: work.redisUs / jobs,
  }
}

/** The call that the broker would send. */
async function record(ids: readonly string[], batch: number): Promise<{ enqueue: Buffer[]; work: Buffer[] }> {
  await loadDriver()
  let sent: Buffer[] = []
  let reply: unknown[] = []
  const client = {
    sendCommand(command: { toWritable: () => string | Buffer }) {
      sent.push(Buffer.from(command.toWritable()))
      return Promise.resolve(reply)
    },
  }
  const connection = { run: (operation: (redis: unknown, attempt: number) => Promise<unknown>) => operation(client, 0) }
  const broker = new Broker(connection as never, new Keys(), new RedisClock())
  const now = Date.now()
  const call = { functionName: 'noop', args: [], kwargs: {}, enqueueTimeMs: now }
  const payload = encodeJob({ jobTry: null, ...call }, 'msgpack')

  for (const some of chunks(ids, 500)) {
    reply = [now, ...some.map(() => 1)]
    await broker.enqueue(
      some.map((jobId) => ({ jobId, queueName: QUEUE, due: { at: now }, expiresMs: undefined, payload })),
    )
  }
  const enqueue = sent
  sent = []
  for (const some of chunks(ids, batch)) {
    reply = [now, -1]
    await broker.reserve(QUEUE, some.length, [])
    // All are taken: a broker that cannot claim what it finds looks elsewhere.
    reply = [now, ...some.map(() => now), 0, ...some.map(() => payload)]
    await broker.claim(QUEUE, some, { token: TOKEN, leaseMs: LEASE_MS, honourAborts: true })
    reply = []
    const times = { startTimeMs: now, finishTimeMs: now }
    await broker.finish(
      QUEUE,
      some.map((jobId) => ({
        jobId,
        queueName: QUEUE,
        token: TOKEN,
        jobTry: 1,
        outcome: 'complete' as const,
        result: encodeResult(
          { jobTry: 1, ...call, success: true, result: undefined, ...times, queueName: QUEUE, jobId },
          'msgpack',
        ),
        resultTtlMs: RESULT_TTL_MS,
        keepInProgressMs: 0,
        dead: null,
      })),
    )
  }
  return { enqueue, work: sent }
}

/** Writes all of it and waits for the last reply, which is to a command of our own. */
async function replay(server: BenchServer, commands: readonly Buffer[]): Promise<{ us: number; redisUs: number }> {
  const { port, hostname } = new URL(server.url)
  const socket = connect({ port: Number(port), host: hostname, noDelay: true })
  await once(socket, 'connect')
  const marker = `end-${randomUUID()}`
  const all = Buffer.concat([...commands, Buffer.from(`*2\r\n$4\r\nECHO\r\n$${marker.length}\r\n${marker}\r\n`)])
  const before = { us: nowUs(), redisUs: await server.cpuUs() }
  let tail = ''
  const done = new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('data', (data: Buffer) => {
      tail = (tail + data.subarray(-marker.length - 2).toString('latin1')).slice(-marker.length - 2)
      if (tail.includes(marker)) resolve()
    })
  })
  before.us = nowUs()
  socket.write(all)
  await done
  const us = nowUs() - before.us
  socket.destroy()
  return { us, redisUs: (await server.cpuUs()) - before.redisUs }
}

function* chunks<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size)
}
