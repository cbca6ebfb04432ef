import type { StreamTopic } from '../api/types.ts'
import { Refusal } from '../http/refusal.ts'
import type { Sight } from '../users/sight.ts'
import type { Hub } from './hub.ts'
import { textFor } from './replay.ts'
import type { Message } from './replay.ts'

const TOPICS: readonly StreamTopic[] = ['overview', 'queues', 'workers', 'events']
const HEARTBEAT_MS = 15_000
/** Streams of one process at most. */
const MAX_STREAMS = 500
/** Characters that a slow reader may be behind; it is cut off then, and comes back by its last id. */
const MAX_BEHIND = 4_000_000
/** Messages that wait for `authorize`; more than a reader that comes back may have missed. */
const MAX_WAITING = 500

/** One open stream. */
export interface Channel {
  write(text: string): void
  /** Closes it; what it had subscribed to is left. */
  end(): void
}

/** Answers with server-sent events of the topics that are asked for, as far as the user may see them. @throws Refusal */
export function streamOf(
  hub: Hub,
  { request, query, sight }: { request: Request; query: URLSearchParams; sight: Sight },
  sightNow: () => Promise<Sight>,
): Response {
  const topics = topicsIn(query.get('topics') ?? 'overview')
  const lastId = request.headers.get('last-event-id')
  return eventStream(hub, request, (channel) => {
    const send = sight.isWhole ? ({ text }: Message) => channel.write(text) : inTurn(sightNow, channel)
    return hub.subscribe({ topics, end: () => channel.end(), send, notify: (text) => channel.write(text) }, lastId)
  })
}

/**
 * Writes messages in the order in which they came, each as far as the user may see it by then: rights change. A reader whose
 * `authorize` does not answer is cut off, before messages pile up.
 */
export function inTurn(sightNow: () => Promise<Sight>, channel: Channel): (message: Message) => void {
  let turn: Promise<void> = Promise.resolve()
  let waiting = 0
  const write = async (message: Message) => {
    channel.write(await textFor(message, await sightNow()))
    waiting--
  }
  return (message) => {
    if (waiting === MAX_WAITING) return channel.end()
    waiting++
    turn = turn.then(() => write(message)).catch(() => channel.end())
  }
}

/**
 * Answers with server-sent events. `subscribe` is called once and returns how to unsubscribe. A slow reader is cut off;
 * it comes back by its last id.
 *
 * @throws Refusal where too many streams are open.
 */
export function eventStream(hub: Hub, request: Request, subscribe: (channel: Channel) => () => void): Response {
  if (hub.openStreams >= MAX_STREAMS) {
    throw new Refusal('not_available', `${MAX_STREAMS} streams are open, which is the limit`)
  }
  const encoder = new TextEncoder()
  let leave = () => {}
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        let isOpen = true
        const channel: Channel = {
          write: (text) => {
            if (!isOpen) return
            if ((controller.desiredSize ?? 0) < -MAX_BEHIND) return channel.end()
            controller.enqueue(encoder.encode(text))
          },
          end: () => {
            if (!isOpen) return
            leave()
            try {
              controller.close()
            } catch {
              // The reader has gone already.
            }
          },
        }
        const heartbeat = setInterval(() => channel.write(': here\n\n'), HEARTBEAT_MS)
        const close = hub.open(channel)
        let unsubscribe = () => {}
        leave = () => {
          isOpen = false
          clearInterval(heartbeat)
          close()
          unsubscribe()
        }
        channel.write('retry: 3000\n\n')
        unsubscribe = subscribe(channel)
        // It was cut off during its replay, before its way out was known: it leaves now.
        if (!isOpen) unsubscribe()
        request.signal.addEventListener('abort', () => channel.end(), { once: true })
      },
      cancel: () => leave(),
    },
    { highWaterMark: 0, size: (chunk) => chunk?.byteLength ?? 0 },
  )
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  })
}

function topicsIn(text: string): ReadonlySet<StreamTopic> {
  const names = text.split(',').filter((name) => name !== '')
  const unknown = names.find((name) => !(TOPICS as readonly string[]).includes(name))
  if (unknown !== undefined || names.length === 0) {
    throw new Refusal('invalid_request', `"${unknown ?? ''}" is no topic; there are ${TOPICS.join(', ')}`)
  }
  return new Set(names as StreamTopic[])
}
