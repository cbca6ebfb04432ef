import type { StreamTopic } from '../api/types.ts'
import { inertJson } from '../http/respond.ts'
import type { Sight } from '../users/sight.ts'

/** Batches of events that a reader may have missed. */
const KEPT_BATCHES = 200

/** The part of a message's data that a user may see. */
export type Seen = (sight: Sight) => Promise<object>

/** One message of the stream. */
export interface Message {
  id: string
  topic: StreamTopic
  /** As a user sees it from whom nothing is hidden. */
  text: string
  seen: Seen
}

/** A message as one user may see it. */
export async function textFor({ id, seen, text, topic }: Message, sight: Sight): Promise<string> {
  return sight.isWhole ? text : textOf(id, topic, await seen(sight))
}

function textOf(id: string, topic: StreamTopic, data: object): string {
  return `id: ${id}\nevent: ${topic}\ndata: ${inertJson(data)}\n\n`
}

/** Messages of the past: the newest state of each topic, and the last events. Ids of another process mean nothing to it. */
export class Replay {
  readonly #epoch = Date.now().toString(36)
  #count = 0
  readonly #newest = new Map<StreamTopic, Message & { number: number; state: string }>()
  #events: (Message & { number: number })[] = []

  /** Forgets the states of topics: nobody looks at them now, so they grow old. */
  forgetStates(): void {
    this.#newest.clear()
  }

  /** Keeps a message and gives it an id; null where it says the same as the one before. */
  add(topic: StreamTopic, data: object, seen: Seen): Message | null {
    // Fields that change with every look, though nothing else has.
    const state = topic === 'events' ? '' : inertJson({ ...data, nowMs: 0, cost: 0 })
    if (topic !== 'events' && this.#newest.get(topic)?.state === state) return null
    const number = ++this.#count
    const id = `${this.#epoch}-${number}`
    const message = { id, topic, text: textOf(id, topic, data), seen }
    if (topic === 'events') this.#events = [...this.#events, { ...message, number }].slice(-KEPT_BATCHES)
    else this.#newest.set(topic, { ...message, number, state })
    return message
  }

  /** Events that a reader of these topics lacks, in order. Without a valid id: the newest state, and no old events. */
  since(lastId: string | null, topics: ReadonlySet<StreamTopic>): Message[] {
    const [epoch, text] = (lastId ?? '').split('-')
    const last = epoch === this.#epoch && /^\d+$/.test(text ?? '') ? Number(text) : null
    const newest = [...this.#newest.values()].filter(({ topic }) => topics.has(topic))
    const events = last !== null && topics.has('events') ? this.#events : []
    return [...newest, ...events].filter(({ number }) => number > (last ?? 0)).sort((a, b) => a.number - b.number)
  }
}
