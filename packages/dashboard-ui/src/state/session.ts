import { signal } from '@preact/signals'
import type { ActionName, Bootstrap } from '@arq-ts/dashboard/api'
import { ApiFailure, get } from '../api/client.ts'
import { hear } from '../api/stream.ts'

/** The server's first answer; null until it came. */
export const session = signal<Bootstrap | null>(null)

/** The reason why there is no first answer. */
export const refusal = signal<ApiFailure | null>(null)

/** Pause before the page requests the numbers of the navigation again while the server counts them, in ms. */
const COUNTING_MS = 1_000
let again: ReturnType<typeof setTimeout> | undefined

/** Loads the session: at the start, after acts that change the badges, and by `followSession`. */
export async function loadSession(): Promise<void> {
  try {
    const answer = await get<Bootstrap>('bootstrap')
    hear(answer.nowMs)
    // While the server counts again, the old numbers stay.
    const isCounting = answer.badges.dead === null
    session.value = isCounting && session.value ? { ...answer, badges: session.value.badges } : answer
    refusal.value = null
    clearTimeout(again)
    if (isCounting) again = setTimeout(() => void loadSession(), COUNTING_MS)
  } catch (error) {
    if (error instanceof ApiFailure) refusal.value = error
    else throw error
  }
}

/** Loads the session again while the page is visible: each 30 s for the badges, each 5 s until there is a first one. */
export function followSession(): void {
  let beats = 0
  setInterval(() => {
    if (!document.hidden && (session.value === null || ++beats % 6 === 0)) void loadSession()
  }, 5_000)
}

/** True where the user may perform the action at all. Who may not, sees no button. */
export function may(action: ActionName): boolean {
  const now = session.value
  return now !== null && !now.readOnly && now.actions.includes(action)
}
