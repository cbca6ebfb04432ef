/**
 * Work that never overlaps itself. A call while it is at work waits for one more run after that: what it is to show may
 * have come too late for this one.
 *
 * @param work - does not reject.
 */
export function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> | undefined
  let next: Promise<void> | undefined
  const run = (): Promise<void> => {
    if (current) {
      next ??= current.then(() => {
        next = undefined
        return run()
      })
      return next
    }
    current = work().finally(() => (current = undefined))
    return current
  }
  return run
}
