import { setTimeout as sleep } from 'node:timers/promises'
import { showId } from '@arq-ts/protocol/jobs'
import type { WorkerInfo } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { audited } from '../audit.ts'
import { CommandError, EXIT } from '../exit.ts'
import { counted, spanText } from '../output.ts'
import { withSession } from '../session.ts'
import type { Session } from '../session.ts'

/** Time between two looks at the workers that were given an order. */
const LOOK_MS = 100

export interface QuietArgs {
  ids?: readonly string[] | undefined
  all?: boolean | undefined
  queue?: string | undefined
  timeout: number
}

/** A worker that was given an order, and whether it was seen to follow it. */
interface Ordered {
  worker: string
  state: string
  running: number
  followed: boolean
}

/** `workers quiet` */
export function quiet(args: GlobalArgs & QuietArgs): Promise<number> {
  return order(args, 'quiet')
}

/** `workers resume` */
export function resume(args: GlobalArgs & QuietArgs): Promise<number> {
  return order(args, 'resume')
}

function order(args: GlobalArgs & QuietArgs, what: 'quiet' | 'resume'): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out } = session
    const { chosen, absent } = await choose(session, args)
    const give = async () => {
      for (const { id } of chosen) {
        if (what === 'quiet') await client.workers.quiet(id)
        else await client.workers.resume(id)
      }
    }
    const names = chosen.map(({ id }) => id)
    if (chosen.length > 0) await audited(session, { action: what, kind: 'worker', names }, give)
    const follows = ({ state }: WorkerInfo) => (what === 'quiet') === (state === 'quiet')
    const seen = await followed(session, chosen, follows, args.timeout)
    const workers = chosen.map((worker): Ordered => {
      const now = seen.get(worker.id) ?? worker
      return { worker: worker.id, state: now.state, running: now.counters.ongoing, followed: follows(now) }
    })
    out.data({ workers, absent }, () => {
      for (const { worker, running, followed: isDone } of workers) {
        const ends = running > 0 ? `; ${counted(running, 'running job')} may end` : ''
        if (isDone) out.line(`${showId(worker)} ${what === 'quiet' ? `is quiet${ends}` : 'claims jobs again'}`)
        else out.line(`${showId(worker)}: the order is given, and not followed within ${spanText(args.timeout)}`)
      }
      for (const id of absent) out.note(`${showId(id)}: no such live arq-ts worker; arq-ts workers lists them`)
      if (workers.length === 0 && absent.length === 0) out.note('no live arq-ts worker')
    })
    const isDone = workers.length > 0 && absent.length === 0 && workers.every((each) => each.followed)
    return isDone ? EXIT.ok : EXIT.no
  })
}

async function choose(
  { client }: Session,
  { ids = [], all, queue }: QuietArgs,
): Promise<{ chosen: WorkerInfo[]; absent: string[] }> {
  if (ids.length === 0 && !all && queue === undefined) throw new CommandError('choose workers: ids, --queue or --all')
  const live = await client.workers.list()
  const absent = ids.filter((id) => !live.some((worker) => worker.id === id))
  const isChosen = ({ id, queues }: WorkerInfo) =>
    (ids.length === 0 || ids.includes(id)) && (queue === undefined || queues.includes(queue))
  return { chosen: live.filter(isChosen), absent }
}

/** Looks at the chosen workers until all follow, or the time is over; one that has ended meanwhile is left out. */
async function followed(
  { client }: Session,
  chosen: readonly WorkerInfo[],
  follows: (worker: WorkerInfo) => boolean,
  timeoutMs: number,
): Promise<Map<string, WorkerInfo>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const live = new Map((await client.workers.list()).map((worker) => [worker.id, worker]))
    const isOpen = ({ id }: WorkerInfo) => live.has(id) && !follows(live.get(id)!)
    if (!chosen.some(isOpen) || performance.now() >= deadline) return live
    await sleep(LOOK_MS)
  }
}
