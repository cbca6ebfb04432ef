import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import type { Resource } from '../options.ts'
import type { Sight } from '../users/sight.ts'
import { queueOf } from './jobs.ts'

/**
 * Refuses a thing that belongs to queues, where the user may see none of them. `given`: the queue that a request names; it
 * may be another than that of the job.
 *
 * @throws Refusal
 */
export async function mustSee(board: Board, sight: Sight, resource: Resource, given: string | null): Promise<void> {
  if (sight.isWhole) return
  const { name, type } = resource
  const queues = await queuesOf(board, resource)
  const named = type === 'job' ? given : null
  const sees = await sight.over([...(queues ?? []), named])
  const isSeen = queues === null || (queues.length === 0 ? sight.isBroad : queues.some(sees))
  if (isSeen && (named === null || sees(named))) return
  throw new Refusal('forbidden', `you may not see the queue of the ${type} "${name.slice(0, 200)}"`)
}

/** Queues that a thing belongs to; null where nothing is known of it, or it belongs to none. */
async function queuesOf(board: Board, { name, type }: Resource): Promise<string[] | null> {
  const { client } = board
  switch (type) {
    case 'job':
    case 'deletion': {
      const at = await queueOf(board, name, undefined)
      if (at !== undefined) return [at]
      const { queueName, status } = await client.jobs.details(name, { queueName: '' })
      return status === 'not_found' ? null : queueName ? [queueName] : []
    }
    case 'schedule': {
      const schedule = await client.schedules.get(name)
      return schedule && [schedule.queueName]
    }
    case 'cron': {
      const listed = (await client.cron.list()).filter((job) => job.name === name)
      return listed.length === 0 ? null : listed.flatMap(({ queues }) => queues)
    }
    case 'error':
      return (await board.history.error(name))?.queues ?? null
    default:
      return null
  }
}
