/** Memory of one slot over a run, in bytes. */
export interface MemoryOfSlot {
  slot: string
  /** Median of the first and of the last quarter of the samples. */
  early: number
  late: number
  max: number
}

/** Condenses samples of resident memory, slot by slot. */
export function summarizeMemory(samples: readonly { slot: string; rssBytes: number }[]): MemoryOfSlot[] {
  const bySlot = new Map<string, number[]>()
  for (const { slot, rssBytes } of samples) {
    const known = bySlot.get(slot)
    if (known) known.push(rssBytes)
    else bySlot.set(slot, [rssBytes])
  }
  return [...bySlot].map(([slot, values]) => {
    const quarter = Math.max(1, Math.floor(values.length / 4))
    return {
      slot,
      early: median(values.slice(0, quarter)),
      late: median(values.slice(-quarter)),
      max: Math.max(...values),
    }
  })
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
