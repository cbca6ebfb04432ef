import type { Bootstrap } from '../api/types.ts'
import type { Board } from '../board.ts'
import { overview } from './overview.ts'
import { snapshot } from './queues.ts'

/** Numbers beside the entries of the navigation; a look at waiting jobs is shared by all tabs for this long. */
const SHARED_MS = 15_000

/** The numbers of the navigation. A number that cannot be known is null, and `why` says the reason. */
export function badges(board: Board): Promise<Bootstrap['badges']> {
  return board.shared.of('badges', SHARED_MS, async () => {
    const seen = await snapshot(board)
    const [errors, { unserved, incomplete }, dead] = await Promise.all([
      board.history.errors({ state: 'open' }),
      overview(board, seen),
      board.client.deadLetters.count(),
    ])
    // Where not all was looked at, none found is no all-clear.
    const isKnown = unserved.length > 0 || incomplete.length === 0
    return {
      errorsOpen: errors.length,
      unserved: isKnown ? unserved.length : null,
      dead,
      why: isKnown ? null : incomplete.join(' '),
    }
  })
}
