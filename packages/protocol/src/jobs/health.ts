/** The text under `<queue>:health-check`, which `arq --check` and dashboards for arq read. */
export interface HealthCounts {
  complete: number
  failed: number
  retried: number
  ongoing: number
  queued: number
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** arq's line, in local time: `Nov-24 04:25:58 j_complete=1 j_failed=0 j_retried=0 j_ongoing=0 queued=0`. */
export function healthLine(at: Date, counts: HealthCounts): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${MONTHS[at.getMonth()]}-${two(at.getDate())}`
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
  const { complete, failed, retried, ongoing, queued } = counts
  return `${day} ${time} j_complete=${complete} j_failed=${failed} j_retried=${retried} j_ongoing=${ongoing} queued=${queued}`
}

/** Reads such a line back; undefined when it is not one. */
export function parseHealthLine(line: string): HealthCounts | undefined {
  const match = /j_complete=(\d+) j_failed=(\d+) j_retried=(\d+) j_ongoing=(\d+) queued=(\d+)/.exec(line)
  if (!match) return undefined
  const [complete, failed, retried, ongoing, queued] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  return { complete, failed, retried, ongoing, queued }
}
