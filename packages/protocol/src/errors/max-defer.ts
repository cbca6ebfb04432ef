/** The longest deferral, a century in milliseconds; beyond, Redis may not take it for a score. */
export const MAX_DEFER_MS = 3_155_760_000_000
