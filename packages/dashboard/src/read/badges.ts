import { setTimeout as sleep } from 'node:timers/promises'
import type { ErrorGroup as RecordedError } from '@arq-ts/core'
import type { Bootstrap } from '../api/types.ts'
import { HEAD_START_MS, MANY_JOBS } from '../board.ts'
import type { Board } from '../board.ts'
import type { Sight } from '../users/sight.ts'
import { overview } from './overview.ts'
import { snapshot } from './queues.ts'
import type { Snapshot } from './queues.ts'

type Badges = Bootstrap['badges']

/** Numbers next to the entries of the navigation; a look at waiting jobs is shared by all tabs for this long. */
const SHARED_MS = 15_000
/** Time that the first page waits for the numbers, in ms: with a million jobs, counting takes longer than the page. */
const WAIT_MS = 25

const UNCOUNTED: Badges = { errorsOpen: null, unserved: null, dead: null, why: 'they are being counted' }

/** The numbers of the navigation, or those that are known after a short wait. */
export async function badges(board: Board, sight: Sight): Promise<Badges> {
  const counted = board.shared.of('badges', SHARED_MS, () => look(board)).then((seen) => count(board, sight, seen))
  counted.catch(() => {}) // the answer to the next request has the reason
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Badges>((resolve) => (timer = setTimeout(() => resolve(UNCOUNTED), WAIT_MS)))
  try {
    return await Promise.race([counted, late])
  } finally {
    clearTimeout(timer)
  }
}

interface Looked {
  snapshot: Snapshot
  /** Open errors alone. */
  errors: RecordedError[]
}

/** The reads of Redis that the numbers need, one for all tabs; the sample of jobs is shared likewise. */
async function look(board: Board): Promise<Looked> {
  const { names } = await board.names.known()
  if ((await board.client.jobs.count(names)) > MANY_JOBS) await sleep(HEAD_START_MS, undefined, { ref: false })
  const seen = await snapshot(board)
  const [errors] = await Promise.all([board.history.errors({ state: 'open' }), board.sample(seen)])
  return { snapshot: seen, errors }
}

/** The numbers. A number that cannot be known is null, and `why` says the reason. */
async function count(board: Board, sight: Sight, seen: Looked): Promise<Badges> {
  const [errors, { unserved, incomplete, totals }] = await Promise.all([
    sight.withQueues(seen.errors),
    overview(board, sight, seen.snapshot),
  ])
  // A partial look that finds nothing does not prove that there is nothing.
  const isKnown = unserved.length > 0 || incomplete.length === 0
  return {
    errorsOpen: errors.length,
    unserved: isKnown ? unserved.length : null,
    dead: totals.dead,
    why: isKnown ? null : incomplete.join(' '),
  }
}
