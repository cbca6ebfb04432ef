import { expect, test } from 'vitest'
import type { Hub } from '../../src/stream/hub.ts'
import { eventStream, inTurn } from '../../src/stream/sse.ts'
import type { Channel } from '../../src/stream/sse.ts'
import { Sight } from '../../src/users/sight.ts'

const message = (id: number) => ({
  id: String(id),
  topic: 'events' as const,
  text: `message ${id}`,
  seen: () => Promise.resolve({}),
})

test('a reader whose rights nobody can say is cut off before messages pile up', () => {
  let ends = 0
  const send = inTurn(() => new Promise<Sight>(() => {}), { write: () => {}, end: () => void ends++ })
  for (let id = 0; id < 500; id++) send(message(id))
  expect(ends).toBe(0)
  send(message(500))
  expect(ends).toBe(1)
})

test('messages are written in the order in which they came, however long each waits for rights', async () => {
  const waiting: (() => void)[] = []
  const written: string[] = []
  const sightNow = () => new Promise<Sight>((resolve) => waiting.push(() => resolve(Sight.whole)))
  const send = inTurn(sightNow, { write: (text) => void written.push(text), end: () => {} })
  for (let id = 0; id < 1_000; id++) {
    send(message(id))
    while (waiting.length === 0) await Promise.resolve()
    waiting.shift()!()
  }
  while (written.length < 1_000) await Promise.resolve()
  expect(written).toEqual(Array.from({ length: 1_000 }, (_, id) => `message ${id}`))
})

test('a reader that is cut off while it gets what it missed leaves no subscription, and harms no later message', async () => {
  let isCounted = true
  let isSubscribed = true
  let channel: Channel | undefined
  const hub = { openStreams: 0, open: () => () => void (isCounted = false) } as unknown as Hub
  const { body } = eventStream(hub, new Request('http://localhost/'), (opened) => {
    channel = opened
    for (let i = 0; i < 5; i++) opened.write('x'.repeat(1_000_000))
    opened.write('one too many')
    return () => void (isSubscribed = false)
  })
  expect([isCounted, isSubscribed]).toEqual([false, false])
  await new Response(body).text()
  expect(() => channel!.write('later')).not.toThrow()
})
