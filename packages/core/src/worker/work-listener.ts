import { RedisReplyError } from '../errors.ts'
import type { Logger } from '../logging/logger.ts'
import type { RedisContext } from '../redis/context.ts'
import { paced } from '../time/paced.ts'

export interface WorkListenerOptions {
  link: RedisContext
  log: Logger
  queues: readonly string[]
  keyspaceNotifications: 'auto' | false
  /** A queue may have new work; with the id where it is one job that is due. */
  onWork: (queueName?: string, jobId?: string) => void
  /** Called when a job is asked to abort, and when requests may have been missed. */
  onAbort: () => void
  /** Somebody began to listen to the events of workers. */
  onListener: () => void
  /** An operator gave an order to a worker, or may have given one meanwhile. */
  onOrder: (workerId?: string) => void
}

/** Time between two looks for what messages announce, in ms. */
const PAUSE_MS = 20

/**
 * Hears of new work sooner than polling finds it: from our producers by their wake-ups, from Python's by keyspace
 * events where the server has them on. Only `zadd` is listened for: claims and renewals move scores by `zincr`.
 */
export async function listenForWork(options: WorkListenerOptions): Promise<void> {
  try {
    await listen(options)
  } catch (error) {
    // arq needs no channels, so its users may not have them.
    if (!(error instanceof RedisReplyError) || error.prefix !== 'NOPERM') throw error
    options.log.warn(
      `this Redis user may not subscribe to all channels: new jobs and aborts may be found by polling only (${error.message})`,
    )
  }
}

async function listen({
  link,
  queues,
  keyspaceNotifications,
  onWork,
  onAbort,
  onListener,
  onOrder,
}: WorkListenerOptions): Promise<void> {
  const { keys, subscriber } = link
  for (const queue of queues) {
    await subscriber.listen(keys.wakeChannel(queue), (news) => {
      const space = news.indexOf(' ')
      if (space > 0) onWork(queue, news.slice(space + 1))
      else onWork()
    })
  }
  const look = paced(onAbort, PAUSE_MS)
  await subscriber.listen(keys.abortChannel, look)
  await subscriber.listen(keys.eventListeners, paced(onListener, PAUSE_MS))
  await subscriber.listen(keys.orderChannel, onOrder)
  const hasEvents = await link.hasKeyspaceEvents()
  link.broker.hasKeyspaceListeners = hasEvents
  const others = subscriber.onUp
  subscriber.onUp = () => {
    others?.()
    onWork()
    onAbort()
    onOrder()
  }
  if (keyspaceNotifications === false || !hasEvents) return
  const onZadd = (event: string) => {
    if (event === 'zadd') onWork()
  }
  for (const queue of queues) await subscriber.listen(link.keyspaceChannel(keys.queue(queue)), onZadd)
  await subscriber.listen(link.keyspaceChannel(keys.abort), (event) => {
    if (event === 'zadd') look()
  })
}
