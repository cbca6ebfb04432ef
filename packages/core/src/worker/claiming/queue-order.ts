export interface WeightedQueue {
  name: string
  /** Share of polls in which this queue comes first, relative to the others'. */
  weight: number
}

/**
 * The order in which one poll asks the queues. `strict`: as given, so a later queue is served only from slots the
 * earlier ones leave free. `weighted`: drawn by weight, so that none starves.
 *
 * @param random - gives numbers in [0, 1).
 */
export function queueOrder<Q extends WeightedQueue>(
  queues: readonly Q[],
  order: 'strict' | 'weighted',
  random: () => number,
): readonly Q[] {
  if (order === 'strict' || queues.length === 1) return queues
  const rest = [...queues]
  const drawn: Q[] = []
  while (rest.length > 0) {
    const total = rest.reduce((sum, queue) => sum + queue.weight, 0)
    let at = random() * total
    let pick = rest.findIndex((queue) => (at -= queue.weight) < 0)
    if (pick === -1) pick = rest.length - 1
    drawn.push(rest[pick]!)
    rest.splice(pick, 1)
  }
  return drawn
}

/** The order of one poll. */
export type QueueOrder = <Q extends WeightedQueue>(queues: readonly Q[], random: () => number) => readonly Q[]

/** The order of queues that lie in `parts` partitions: those of one queue follow each other, and come as equals. */
export function orderOf(order: 'strict' | 'weighted', parts: number): QueueOrder {
  if (order === 'weighted' || parts === 1) return (queues, random) => queueOrder(queues, order, random)
  return <Q extends WeightedQueue>(queues: readonly Q[], random: () => number) => {
    const drawn: Q[] = []
    for (let from = 0; from < queues.length; from += parts)
      drawn.push(...queueOrder(queues.slice(from, from + parts), 'weighted', random))
    return drawn
  }
}
