import { showId } from '@arq-ts/protocol/jobs'
import { namesText } from './output.ts'
import type { Session } from './session.ts'

/**
 * Notes that no live worker serves a queue: jobs in it wait, and so does whoever waits for their end. The queue of the
 * configuration is `default`, that of arq and of a `Worker` is `arq:queue`.
 */
export async function noteUnserved({ client, out }: Pick<Session, 'client' | 'out'>, queueName: string): Promise<void> {
  const { workers, python } = await client.workers.fleet([queueName])
  const served = new Set(workers.flatMap((worker) => worker.queues))
  if (served.has(queueName) || python.length > 0) return
  const others = served.size > 0 ? `; served are ${namesText([...served].sort())}` : ''
  out.note(`no live worker serves ${showId(queueName)}${others}`)
}
