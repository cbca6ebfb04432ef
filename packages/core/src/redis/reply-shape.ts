import type { Cluster, Redis } from 'ioredis'
import type { ScriptName, ScriptReply } from './scripts.ts'

/** The call that a reply must fit, and the client that it came over. */
export interface CheckedCall {
  client: Redis
  name: ScriptName
  /** Number of its jobs, where it is known. */
  jobs: number | undefined
}

/** The reply to a script cannot be its own: the connection is out of step, and no reply on it can be trusted. */
export class StrayReplyError extends Error {
  override readonly name = 'StrayReplyError'

  constructor(script: ScriptName) {
    super(`replies are out of step: '${script}' got that of another call`)
  }
}

/** Scripts of the hot path, by whose replies jobs are taken, accepted and settled. */
const checked: ReadonlySet<ScriptName> = new Set<ScriptName>([
  'enqueue',
  'handOff',
  'wait',
  'renew',
  'claim',
  'reserve',
  'reschedule',
  'finish',
  'setTry',
  'abort',
])

/** Says that a reply has the shape that the script gives for this number of jobs; a list of faults may stand behind it. */
export function fitsCall(script: ScriptName, reply: unknown, jobs: number | undefined): boolean {
  if (!checked.has(script)) return true
  if (!Array.isArray(reply)) return false
  const values = reply as ScriptReply[]
  const length = Array.isArray(values.at(-1)) ? values.length - 1 : values.length
  const isCount = (wanted: number) => jobs === undefined || length === wanted + jobs
  switch (script) {
    case 'enqueue':
    case 'handOff':
    case 'wait':
    case 'renew':
      return typeof values[0] === 'number' && isCount(1)
    case 'claim':
      return typeof values[0] === 'number' && (jobs === undefined || length >= jobs + 2)
    case 'reserve':
      return typeof values[0] === 'number'
    case 'reschedule':
      return isCount(0) && values.every((held, i) => i === length || held === 0 || held === 1)
    case 'finish':
      return values.every(
        (lost, i) => i === length || (typeof lost === 'number' && lost >= 1 && lost <= (jobs ?? lost)),
      )
    default:
      return length === 1 && (values[0] === 0 || values[0] === 1)
  }
}

/** Parts of an ioredis client that it does not publish. */
interface Internals {
  stream?: { destroy: () => void } | null
  flushQueue(error: Error, options: { offlineQueue: boolean }): void
}

/**
 * Ends connections whose replies are out of step, before the next reply is read: every command under way is rejected, and
 * the client opens them again. The error is also an event, for whoever reports why a connection is lost.
 */
export function cutOff(client: Redis, error: StrayReplyError): void {
  client.emit('error', error)
  const nodes = client.isCluster ? (client as unknown as Cluster).nodes() : [client]
  for (const node of nodes) {
    const { stream } = node as unknown as Internals
    ;(node as unknown as Internals).flushQueue(error, { offlineQueue: false })
    stream?.destroy()
  }
}
