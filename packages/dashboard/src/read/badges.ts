import { setTimeout as sleep } from 'node:timers/promises'
import type { Bootstrap } from '../api/types.ts'
import type { Board } from '../board.ts'
import { overview } from './overview.ts'
import { snapshot } from './queues.ts'

type Badges = Bootstrap['badges']

/** Numbers beside the entries of the navigation; a look at waiting jobs is shared by all tabs for this long. */
const SHARED_MS = 15_000
/** Time that the first page waits for the numbers, in ms: with a million jobs, counting takes longer than the page. */
const WAIT_MS = 25

/** With more jobs than this, counting costs as much as a page, and begins after the first page has its data. */
const MANY_JOBS = 50_000
const HEAD_START_MS = 500

const UNCOUNTED: Badges = { errorsOpen: null, unserved: null, dead: null, why: 'they are being counted' }

/** The numbers of the navigation, or those that are known after a short wait. */
export async function badges(board: Board): Promise<Badges> {
  const counted = board.shared.of('badges', SHARED_MS, () => count(board))
  counted.catch(() => {}) // the answer to the next request has the reason
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Badges>((resolve) => (timer = setTimeout(() => resolve(UNCOUNTED), WAIT_MS)))
  try {
    return await Promise.race([counted, late])
  } finally {
    clearTimeout(timer)
  }
}

/** The numbers. A number that cannot be known is null, and `why` says the reason. */
async function count(board: Board): Promise<Badges> {
  const { names } = await board.names.known()
  if ((await board.client.jobs.count(names)) > MANY_JOBS) await sleep(HEAD_START_MS, undefined, { ref: false })
  const seen = await snapshot(board)
  const [errors, { unserved, incomplete }, dead] = await Promise.all([
    board.history.errors({ state: 'open' }),
    overview(board, seen),
    board.client.deadLetters.count(),
  ])
  // A partial look that finds nothing does not prove that there is nothing.
  const isKnown = unserved.length > 0 || incomplete.length === 0
  return {
    errorsOpen: errors.length,
    unserved: isKnown ? unserved.length : null,
    dead,
    why: isKnown ? null : incomplete.join(' '),
  }
}
