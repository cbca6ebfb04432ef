import { RedisReplyError } from '../errors.ts'
import type { Logger } from '../logging/logger.ts'
import type { RedisContext } from '../redis/context.ts'
import { paced } from '../time/paced.ts'

export interface WorkListenerOptions {
  link: RedisContext
  log: Logger
  queues: readonly string[]
  keyspaceNotifications: 'auto' | false
  /** A queue may have new work; with the ids where it is a few jobs that are due. */
  onWork: (queueName?: string, jobIds?: readonly string[]) => void
  /** Called when a job is asked to abort, and when requests may have been missed. */
  onAbort: () => void
  /** Somebody began to listen to the events of workers. */
  onListener: () => void
  /** An operator gave an order to a worker, or may have given one meanwhile. */
  onOrder: (workerId?: string) => void
}

/** Jobs that one wake-up names, at most; anybody may publish anything. */
const MAX_NAMED = 16

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
      const jobIds = idsIn(news)
      if (jobIds.length > 0) onWork(queue, jobIds)
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

/** The jobs that a wake-up names behind their due time: one behind a space, or several, each behind a comma. */
function idsIn(news: string): string[] {
  const [separator] = /[ ,]/.exec(news) ?? []
  if (separator === undefined) return []
  const ids = news.slice(news.indexOf(separator) + 1)
  return separator === ' ' ? [ids] : [...new Set(ids.split(',', MAX_NAMED))]
}
