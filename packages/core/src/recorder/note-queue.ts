import type { Link } from '../redis/link.ts'
import { MAX_EVENTS } from './journal.ts'

/** Adds an event about a queue; where that cannot be written, the history lacks it. */
export async function noteQueue(link: Link, kind: 'paused' | 'resumed', queueName: string): Promise<void> {
  try {
    await link.syncClock()
    const event = { kind, atMs: link.clock.now(), queueName }
    await link.recordings.append(link.keys.obsEvents, JSON.stringify(event), MAX_EVENTS)
  } catch {
    // The pause itself is done.
  }
}
