/** The longest a Node timer may be set to, in ms (24.8 days): beyond it, it fires at once. */
export const MAX_TIMER_MS = 2_147_483_647

const MAX_RECONNECT_DELAY_MS = 1_000

/** Time before attempt number `times`, from 1, to connect again, in ms. Full jitter: a fleet must not reconnect in step. */
export function reconnectDelayMs(times: number): number {
  return Math.round(Math.random() * Math.min(50 * 2 ** Math.min(times, 5), MAX_RECONNECT_DELAY_MS))
}
