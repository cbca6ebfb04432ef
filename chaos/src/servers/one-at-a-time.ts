/** Lets calls follow one another: two outages of the same servers at a time would undo each other's repair. */
export function oneAtATime<A extends unknown[]>(call: (...args: A) => Promise<void>): (...args: A) => Promise<void> {
  let last: Promise<void> = Promise.resolve()
  return (...args) => {
    const mine = last.then(() => call(...args))
    last = mine.catch(() => {})
    return mine
  }
}
