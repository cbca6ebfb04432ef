/** CPU time that work takes in this process, in ms. Other processes on a busy machine lengthen the clock's time, not this. */
export function cpuMsOf(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}
