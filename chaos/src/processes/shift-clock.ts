// Loaded before a process by `--import`: its clock is off by CHAOS_CLOCK_SHIFT_MS, as the clock of a machine without NTP
// is. It moves what JavaScript reads (`Date`), which is all that a Node process knows of the time of day.
const shiftMs = Number(process.env.CHAOS_CLOCK_SHIFT_MS ?? 0)

if (shiftMs !== 0) {
  const Real = Date
  class ShiftedDate extends Real {
    constructor(...args: unknown[]) {
      if (args.length === 0) super(Real.now() + shiftMs)
      else super(...(args as [number]))
    }
    static override now(): number {
      return Real.now() + shiftMs
    }
  }
  globalThis.Date = ShiftedDate as DateConstructor
}
