/** The longest a Node timer may be set to, in ms (24.8 days): beyond it, it fires at once. */
export const MAX_TIMER_MS = 2_147_483_647
