import type { RedisContext } from '../redis/context.ts'
import { MAX_EVENTS } from './journal.ts'
import type { RecordedEvent } from './records.ts'

/** An event caused by an act of an operator. */
type Noted = Pick<RecordedEvent, 'kind' | 'queueName' | 'functionName'>

/** Adds an event about a queue or a cron job; if that fails, the history lacks the event. */
export async function noteEvent(link: RedisContext, noted: Noted): Promise<void> {
  try {
    await link.syncClock()
    const event = { ...noted, atMs: link.clock.now() }
    await link.recordings.append(link.keys.obsEvents, JSON.stringify(event), MAX_EVENTS)
  } catch {
    // The act itself has succeeded.
  }
}
