import type { PlannedCall } from './plan.ts'

/** Keys per call, with the one that numbers the flush. */
const MAX_KEYS = 12

/** Packs operations into calls of few keys each. */
export class CallPacker {
  readonly calls: PlannedCall[] = []

  /** Adds an operation on these keys; `build` gets their numbers. */
  add(keys: readonly string[], build: (...numbers: number[]) => PlannedCall['operations']): void {
    let call = this.calls.at(-1)
    const fresh = keys.filter((key) => !call?.keys.includes(key))
    if (!call || call.keys.length + fresh.length + 1 > MAX_KEYS) {
      call = { keys: [], operations: [] }
      this.calls.push(call)
    }
    for (const key of keys) if (!call.keys.includes(key)) call.keys.push(key)
    const { keys: known } = call
    call.operations.push(...build(...keys.map((key) => known.indexOf(key) + 2)))
  }
}
