/** A clock that moves on request. */
export interface FakeClock {
  now(): number
  advance(ms: number): void
}

export function fakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let nowMs = startMs
  return {
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms
    },
  }
}
