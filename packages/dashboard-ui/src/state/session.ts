import { signal } from '@preact/signals'
import type { ActionName, Bootstrap } from '@arq-ts/dashboard/api'
import { ApiFailure, get } from '../api/client.ts'
import { heard } from '../api/stream.ts'

/** The server's first answer; null until it came. */
export const session = signal<Bootstrap | null>(null)

/** The reason why there is no first answer. */
export const refusal = signal<ApiFailure | null>(null)

/** Loads the session. Called at the start, and after acts that change the badges. */
export async function loadSession(): Promise<void> {
  try {
    const answer = await get<Bootstrap>('bootstrap')
    heard.value = { redisMs: answer.nowMs, localMs: Date.now() }
    session.value = answer
    refusal.value = null
  } catch (error) {
    if (error instanceof ApiFailure) refusal.value = error
    else throw error
  }
}

/** True where the user may perform the action at all. Who may not, sees no button. */
export function may(action: ActionName): boolean {
  const now = session.value
  return now !== null && !now.readOnly && now.actions.includes(action)
}
