import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { StreamMessages, StreamTopic } from '@arq-ts/dashboard/api'
import { silent } from './client.ts'

/** State of the live connection. `off`: it was lost; the browser tries again. */
export const live = signal<'connecting' | 'live' | 'off'>('connecting')

/** Redis's time of the newest message, and when it came by this page's clock. */
export const heard = signal<{ redisMs: number; localMs: number } | null>(null)

/** Notes the time of an answer or message. An older one than known, such as a state kept for new readers, is no news. */
export function hear(redisMs: number): void {
  if (heard.value === null || redisMs > heard.value.redisMs) heard.value = { redisMs, localMs: Date.now() }
}

type Handler = (message: never) => void
const handlers = new Map<StreamTopic, Set<Handler>>()
let source: EventSource | undefined
let opened = ''
let waiting = false

/**
 * One connection for all topics that somebody on the page listens to. It is opened anew when the topics change, and
 * closed while the page is hidden.
 */
function connect(): void {
  waiting = false
  const topics = document.hidden ? '' : [...handlers.keys()].sort().join(',')
  if (topics === opened && source?.readyState !== EventSource.CLOSED) return
  source?.close()
  source = undefined
  opened = topics
  if (!topics) return
  const next = new EventSource(`api/stream?topics=${topics}`)
  source = next
  next.addEventListener('open', () => (live.value = 'live'))
  next.addEventListener('error', () => {
    live.value = 'off'
    // A refused connection is not tried again by the browser.
    if (next.readyState === EventSource.CLOSED && source === next) setTimeout(reconnect, 5_000)
  })
  next.addEventListener('redis', (event) => {
    const notice = JSON.parse((event as MessageEvent<string>).data) as { silent: boolean }
    silent.value = notice.silent ? 'redis' : null
  })
  for (const topic of handlers.keys()) {
    next.addEventListener(topic, (event) => {
      live.value = 'live'
      const message = JSON.parse((event as MessageEvent<string>).data) as { nowMs?: number }
      if (message.nowMs) hear(message.nowMs)
      for (const handler of handlers.get(topic) ?? []) handler(message as never)
    })
  }
}

function reconnect(): void {
  opened = ''
  connect()
}

function later(): void {
  if (waiting) return
  waiting = true
  queueMicrotask(connect)
}

document.addEventListener('visibilitychange', later)

/** Calls the handler with each message of a topic while the component is shown. */
export function useTopic<T extends StreamTopic>(topic: T | null, handler: (message: StreamMessages[T]) => void): void {
  const newest = useRef(handler)
  newest.current = handler
  useEffect(() => {
    if (topic === null) return
    const mine: Handler = (message) => newest.current(message)
    const set = handlers.get(topic) ?? new Set()
    handlers.set(topic, set.add(mine))
    later()
    return () => {
      set.delete(mine)
      if (set.size === 0) handlers.delete(topic)
      later()
    }
  }, [topic])
}

/** Redis's time now, as the newest answer and this page's clock have it. */
export function redisNow(localMs = Date.now()): number {
  const at = heard.value
  return at ? at.redisMs + Math.max(0, localMs - at.localMs) : localMs
}
