import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import type { Resource } from '../options.ts'
import type { Sight } from '../users/sight.ts'
import { queueOf } from './jobs.ts'

/** Things that a request looks for, or puts, in the queues that it names. */
const LOOKED_FOR: ReadonlySet<Resource['type']> = new Set(['job', 'deletion', 'cron'])

/**
 * Refuses a thing that belongs to queues, where the user may see none of them. `given`: what a request names as queues, in
 * its query and its body; they may be others than that of the thing.
 *
 * @throws Refusal
 */
export async function mustSee(
  board: Board,
  sight: Sight,
  resource: Resource,
  given: readonly unknown[],
): Promise<void> {
  if (sight.isWhole) return
  const { name, type } = resource
  const queues = await queuesOf(board, resource)
  const named = given.filter((each): each is string => LOOKED_FOR.has(type) && typeof each === 'string' && each !== '')
  const sees = await sight.over([...(queues ?? []), ...named])
  const isSeen = queues === null || (queues.length === 0 ? sight.isBroad : queues.some(sees))
  if (isSeen && named.every(sees)) return
  const thing = `the ${type} "${name.slice(0, 200)}"`
  const why =
    isSeen || queues!.length > 0
      ? `you may not see the queue of ${thing}`
      : `no queue of ${thing} is known, and you may not see every queue`
  throw new Refusal('forbidden', why)
}

/** Refuses an act on queues of which the user may not see one, by now. @throws Refusal */
export async function mustSeeAll(sight: Sight, queues: readonly (string | null)[], what: string): Promise<void> {
  const sees = await sight.over(queues)
  if (!queues.every(sees)) throw new Refusal('forbidden', `you may not see a queue of the ${what}`)
}

/** Queues that a thing belongs to; null where it does not exist, or belongs to none. */
async function queuesOf(board: Board, { name, type }: Resource): Promise<string[] | null> {
  const { client } = board
  switch (type) {
    case 'job':
    case 'deletion': {
      const at = await queueOf(board, name, undefined)
      if (at !== undefined) return [at]
      const { queueName, status } = await client.jobs.details(name, { queueName: '' })
      // The log and the tries of a job may outlive it, and its id may be one of a job to come.
      return status === 'not_found' && type === 'deletion' ? null : queueName ? [queueName] : []
    }
    case 'schedule': {
      const schedule = await client.schedules.get(name)
      return schedule && [schedule.queueName]
    }
    case 'cron': {
      const listed = (await client.cron.list()).filter((job) => job.name === name)
      if (listed.some(({ queues }) => queues.length > 0)) return listed.flatMap(({ queues }) => queues)
      // No live worker has it, but its ticks may be recorded.
      const recorded = (await board.history.cron()).filter((job) => job.name === name)
      return listed.length + recorded.length === 0 ? null : recorded.flatMap(({ queues }) => queues)
    }
    case 'error':
      return (await board.history.error(name))?.queues ?? null
    default:
      return null
  }
}
