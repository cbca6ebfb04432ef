import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Client, defineTask } from '@arq-ts/core'
import { eventually, RedisServer } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { toNodeHandler } from '../../src/index.ts'
import type { Dashboard, StreamMessages } from '../../src/index.ts'
import { get, logger, refusalOf, useHarness } from '../support/harness.ts'

const bench = useHarness()
type Topic = keyof StreamMessages
interface Received {
  id: string
  topic: Topic
  data: StreamMessages[Topic]
}

/** A reader that keeps all that it gets. */
async function open(dashboard: Dashboard, topics: string, lastId?: string) {
  const response = await get(dashboard, `/api/stream?topics=${topics}`, lastId ? { 'last-event-id': lastId } : {})
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  return reading(response)
}

function reading(response: Response) {
  const received: Received[] = []
  const notices: string[] = []
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  const ended = (async () => {
    let text = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      text += value
      const parts = text.split('\n\n')
      text = parts.pop()!
      for (const part of parts) {
        const [, id, topic, data] = /^id: (\S+)\nevent: (\w+)\ndata: (.*)$/.exec(part) ?? []
        const [, notice] = /^event: redis\ndata: (.*)$/.exec(part) ?? []
        if (notice) notices.push(notice)
        if (id) received.push({ id, topic: topic as Topic, data: JSON.parse(data!) as Received['data'] })
      }
    }
  })()
  ended.catch(() => {})
  return { received, notices, ended, leave: () => reader.cancel() }
}

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

describe('the stream', () => {
  test('gives ten readers the messages of one poll, at the commands of one', async () => {
    await bench.client().enqueue('f', [], { queueName: 'mail', jobId: 'first', deferByMs: 60_000 })
    const dashboard = bench.dashboard()
    const { db, host, port } = bench.database().redis.options
    const looks: string[] = []
    const monitor = connect(port!, host!, () => monitor.write('MONITOR\r\n'))
    bench.onEnd(() => monitor.destroy())
    let rest = ''
    monitor.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\r\n')
      rest = lines.pop()!
      looks.push(...lines.filter((line) => line.includes(`[${db} `) && line.includes('"zcard" "mail"')))
    })
    await once(monitor, 'data')
    const readers = await Promise.all(Array.from({ length: 10 }, () => open(dashboard, 'overview,queues,workers')))
    await eventually(() => readers.every(({ received }) => received.some(({ topic }) => topic === 'overview')))
    await bench.client().enqueue('f', [], { queueName: 'mail', jobId: 'second', deferByMs: 60_000 })
    const overviews = () => readers.map(({ received }) => received.filter(({ topic }) => topic === 'overview'))
    await eventually(() => overviews().every((each) => each.length >= 2), { timeoutMs: 25_000 })
    // One look for each poll: ten readers of three topics would have made thirty at the first.
    expect(looks.length).toBeGreaterThan(1)
    expect(looks.length).toBeLessThan(10)
    // On a slow machine another message may be on its way to some of them.
    const all = Math.min(...readers.map(({ received }) => received.length))
    expect(new Set(readers.map(({ received }) => JSON.stringify(received.slice(0, all)))).size).toBe(1)
    const [before, after] = overviews()[0]!.map(({ data }) => (data as StreamMessages['overview']).cost.commands)
    expect(after! - before!).toBeLessThan(100)
  })

  test('stops to ask Redis when the last reader leaves', async () => {
    const dashboard = bench.dashboard()
    await get(dashboard, '/api/queues')
    const before = timers()
    const readers = await Promise.all([open(dashboard, 'queues,events'), open(dashboard, 'queues')])
    await eventually(() => readers.every(({ received }) => received.length > 0))
    expect(timers()).toBeGreaterThan(before)
    const { db } = bench.database().redis.options
    const listeners = async () => (await bench.database().redis.pubsub('NUMSUB', `arq:events@${db}`))[1]
    await eventually(async () => (await listeners()) === 1)
    for (const reader of readers) await reader.leave()
    await eventually(() => timers() <= before)
    await eventually(async () => (await listeners()) === 0)
  })

  test('resumes by the last id with the events that were missed', async () => {
    const dashboard = bench.dashboard()
    bench.worker({ tasks: [defineTask({ name: 'works', handler: () => Promise.resolve(1) })] })
    const first = await open(dashboard, 'events')
    // Workers publish once they know of a listener.
    const hasEvent = (received: Received[], jobId: string) =>
      received.some(({ data }) => (data as StreamMessages['events']).events.some((event) => event.jobId === jobId))
    let number = 0
    await eventually(async () => {
      await bench.client().enqueue('works', [], { jobId: `early-${number++}` })
      return first.received.length > 0
    })
    const second = await open(dashboard, 'events')
    const lastId = first.received.at(-1)!.id
    await first.leave()
    await bench.client().enqueue('works', [], { jobId: 'missed' })
    await eventually(() => hasEvent(second.received, 'missed'))
    const again = await open(dashboard, 'events', lastId)
    await eventually(() => hasEvent(again.received, 'missed'))
    const fresh = await open(dashboard, 'events', 'another-process-7')
    expect(fresh.received).toEqual([])
  })

  test('sends the newest state at once to a reader that comes later', async () => {
    const dashboard = bench.dashboard()
    const first = await open(dashboard, 'queues')
    await eventually(() => first.received.length === 1)
    const second = await open(dashboard, 'queues')
    await eventually(() => second.received.length === 1)
    expect(second.received).toEqual(first.received)
  })

  test('reports to each reader that Redis is silent, those that come meanwhile too, and that it is back', async () => {
    const server = await RedisServer.start() // stopped for a while, so no other test may share it
    bench.onEnd(() => server.stop())
    const client = new Client({ redis: server.url, logger, commandTimeoutMs: 200 })
    bench.onEnd(() => client.close())
    const dashboard = bench.dashboard({ client })
    const first = await open(dashboard, 'queues')
    await eventually(() => first.received.length > 0)
    server.pause()
    const slow = { timeoutMs: 25_000 } // a slow look is followed by a longer pause
    await eventually(() => first.notices.length === 1, slow)
    const second = await open(dashboard, 'queues')
    await eventually(() => second.notices.length === 1, slow)
    server.resume()
    await eventually(() => first.notices.length === 2 && second.notices.length === 2, slow)
    expect(first.notices).toEqual(['{"silent":true}', '{"silent":false}'])
    expect(second.notices).toEqual(first.notices)
  }, 90_000)

  test('has events for a reader that came while Redis was silent, once it answers', async () => {
    const server = await RedisServer.start() // stopped for a while, so no other test may share it
    bench.onEnd(() => server.stop())
    const client = new Client({ redis: server.url, logger, commandTimeoutMs: 200 })
    bench.onEnd(() => client.close())
    const dashboard = bench.dashboard({ client })
    await get(dashboard, '/api/queues')
    server.pause()
    const reader = await open(dashboard, 'events')
    // This is asked after it, and refused: its listening has been given up by then.
    expect(await refusalOf(get(dashboard, '/api/jobs/a'))).toEqual([503, 'redis_unavailable'])
    server.resume()
    const works = defineTask({ name: 'works', handler: () => Promise.resolve(1) })
    bench.worker({ redis: server.url, tasks: [works] })
    const hasEvents = async () => {
      await client.enqueue('works')
      return reader.received.length > 0
    }
    await eventually(hasEvents, { timeoutMs: 25_000, intervalMs: 100 })
  }, 60_000)

  test('ends with the dashboard, and over a socket with its reader', async () => {
    const dashboard = bench.dashboard()
    const server = createServer(toNodeHandler(dashboard))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    bench.onEnd(() => new Promise((resolve) => server.close(resolve)))
    const { port } = server.address() as AddressInfo
    const gone = new AbortController()
    const url = `http://127.0.0.1:${port}/api/stream?topics=events`
    const left = reading(await fetch(url, { signal: gone.signal }))
    const { db } = bench.database().redis.options
    const listeners = async () => (await bench.database().redis.pubsub('NUMSUB', `arq:events@${db}`))[1]
    await eventually(async () => (await listeners()) === 1)
    gone.abort()
    await left.ended.catch(() => {})
    await eventually(async () => (await listeners()) === 0)
    const stayed = reading(await fetch(url))
    await dashboard.close()
    await stayed.ended
  })

  test('refuses a topic that there is not', async () => {
    for (const topics of ['', 'nothing', 'queues,nothing']) {
      expect(await refusalOf(get(bench.dashboard(), `/api/stream?topics=${topics}`))).toEqual([400, 'invalid_request'])
    }
  })
})
