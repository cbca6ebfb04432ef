/** Jobs that an enqueue handed to this worker, as `hand-off.lua` sends them, and the decision about them. */
export interface HandOff {
  /** Token of the entry by which the worker waited. */
  token: string
  /** Time until which the jobs are held for it, in unix ms. */
  untilMs: number
  /** Time at which they were due, in unix ms. */
  dueMs: number
  jobs: readonly HandedJob[]
}

/** One job of a hand-off. */
export interface HandedJob {
  jobId: string
  payload: Buffer
}

const SPACE = 0x20
/** The longest word of a message, an id with the length of its payload. */
const MAX_WORD_BYTES = 1_024

/** Reads the message of a hand-off; undefined for any other message, since anybody may publish on a channel. */
export function readHandOff(message: Buffer): HandOff | undefined {
  let at = 0
  const word = () => {
    const end = message.subarray(at, at + MAX_WORD_BYTES).indexOf(SPACE)
    const text = end < 0 ? '' : message.toString('utf8', at, at + end)
    at += end + 1
    return text
  }
  const tokenBytes = Number(word())
  if (!(tokenBytes > 0 && message[at + tokenBytes] === SPACE)) return undefined
  const token = message.toString('utf8', at, (at += tokenBytes))
  at++
  const [untilMs, dueMs, count] = [Number(word()), Number(word()), Number(word())]
  if (!(untilMs > 0 && dueMs > 0 && count > 0 && count <= message.length)) return undefined
  const places: { jobId: string; bytes: number }[] = []
  for (let i = 0; i < count; i++) {
    const [jobId, bytes] = word().split(':')
    if (!jobId || bytes === undefined || !/^\d{1,9}$/.test(bytes)) return undefined
    places.push({ jobId, bytes: Number(bytes) })
  }
  const jobs = places.map(({ jobId, bytes }): HandedJob => {
    const payload = message.subarray(at, (at += bytes))
    return { jobId, payload }
  })
  return at === message.length ? { token, untilMs, dueMs, jobs } : undefined
}

/** Time for which a job must still be held, in ms, to start before Redis has confirmed that it is taken. */
const MARGIN_MS = 500

/**
 * Decides about the jobs of a hand-off, in their order:
 *
 * - `start`: the handler starts at once, while the call that takes the job is on its way
 * - `confirm`: it starts when Redis has confirmed that call: if a second run is forbidden, since Redis may never count the
 *   run; if the hand-off is late, since its time may be over; and if the connection is lost
 * - `release`: no slot is free
 */
export function decide(
  handOff: HandOff,
  worker: { nowMs: number; room: number; isConnected: boolean; mayRunTwice: (payload: Buffer) => boolean },
): ('start' | 'confirm' | 'release')[] {
  const { isConnected, mayRunTwice, nowMs, room } = worker
  const isInTime = isConnected && handOff.untilMs - nowMs >= MARGIN_MS
  return handOff.jobs.map(({ payload }, i) => {
    if (i >= room) return 'release'
    return isInTime && mayRunTwice(payload) ? 'start' : 'confirm'
  })
}
