// The part that all peers for Node share: the roles of bench/README.md, measured the same way. A peer adds only how
// its library is called.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** Functions that every worker has. */
export type FunctionName = 'noop' | 'sleep1' | 'probe' | 'take' | 'hold'

export interface JobCall {
  fn: FunctionName
  /** None, or one: what `probe` and `take` are given. */
  arg?: unknown
}

export interface Handlers {
  noop: () => void
  sleep1: () => Promise<void>
  probe: (sentUs: number) => void
  take: (data: unknown) => void
  /** Counts as done when it begins, and does not end. */
  hold: () => Promise<void>
}

/** Options of a role; a peer may have more. */
export interface RoleOptions {
  redis: string
  queue: string
  workers: number
  concurrency: number
  mode: 'one' | 'concurrent' | 'bulk'
  count: number
  warm: number
  width: number
  fn: FunctionName
  payloadBytes: number
  deferMs: number
  /** Unix ms at which all are due, instead of `deferMs`. */
  dueAt?: number
  everyMs: number
  perTick: number
  codec: 'msgpack' | 'pickle' | 'json'
  leaseMs?: number
  /** True to hand jobs to idle workers. Default: the default of the library. */
  handOff?: boolean
}

export interface Producer {
  enqueue: (call: JobCall, deferMs?: number) => Promise<unknown>
  /** Absent where the library has no bulk call. */
  enqueueMany?: (calls: JobCall[], deferMs?: number) => Promise<unknown>
  close: () => Promise<unknown>
}

export interface Peer {
  name: string
  version: string
  openProducer: (options: RoleOptions) => Promise<Producer>
  /** Starts one worker with `options.concurrency` jobs in flight; gives what stops it. */
  startWorker: (options: RoleOptions, handlers: Handlers) => Promise<() => Promise<unknown>>
}

const REPORT_MS = 50

export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n)
}

/** Plays the role that the command line names. */
export async function playRole(peer: Peer): Promise<void> {
  const [role, json = '{}'] = process.argv.slice(2)
  const defaults = { workers: 1, width: 1000, fn: 'noop', payloadBytes: 0, deferMs: 0, warm: 0, perTick: 1 }
  const options = { ...defaults, ...(JSON.parse(json) as object) } as RoleOptions
  if (role === 'version') say({ name: peer.name, version: peer.version })
  else if (role === 'work') await work(peer, options)
  else {
    const producer = await peer.openProducer(options)
    if (role === 'enqueue') await enqueue(producer, options)
    else if (role === 'fill') await fill(producer, options)
    else if (role === 'produce') await produce(producer, options)
    else throw new Error(`no role ${role}`)
    await producer.close()
  }
  process.exit()
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

async function work(peer: Peer, options: RoleOptions): Promise<void> {
  let done = 0
  let lastUs = 0
  const latenciesUs: number[] = []
  const ended = () => {
    done++
    lastUs = nowUs()
  }
  const handlers: Handlers = {
    noop: ended,
    sleep1: async () => {
      await sleep(1)
      ended()
    },
    probe: (sentUs) => {
      latenciesUs.push(nowUs() - sentUs)
      ended()
    },
    take: ended,
    hold: () => {
      ended()
      return new Promise(() => {})
    },
  }
  const stops = await Promise.all(Array.from({ length: options.workers }, () => peer.startWorker(options, handlers)))
  say({ ready: true })
  let reported = 0
  setInterval(() => {
    if (done === reported) return
    reported = done
    say({ done, us: lastUs, cpuUs: cpuUs(), rss: peakRss() })
  }, REPORT_MS)
  for await (const line of createInterface({ input: process.stdin })) if (line === 'stop') break
  await Promise.race([Promise.all(stops.map((stop) => stop())), sleep(5_000)])
  say({ latenciesUs })
}

async function enqueue(producer: Producer, options: RoleOptions): Promise<void> {
  const { count, warm, mode } = options
  if (mode === 'bulk' && !producer.enqueueMany) return say({ unsupported: 'the library has no bulk call' })
  await send(producer, options, warm, mode)
  const before = { us: nowUs(), cpu: cpuUs() }
  await send(producer, options, count, mode)
  say({ count, us: nowUs() - before.us, cpuUs: cpuUs() - before.cpu, rss: peakRss() })
}

async function fill(producer: Producer, options: RoleOptions): Promise<void> {
  await send(producer, options, options.count, producer.enqueueMany ? 'bulk' : 'concurrent')
  say({ filled: options.count })
}

async function send(
  producer: Producer,
  { width, fn, payloadBytes, deferMs: later, dueAt }: RoleOptions,
  count: number,
  mode: RoleOptions['mode'],
): Promise<void> {
  const call: JobCall = fn === 'take' ? { fn, arg: 'x'.repeat(payloadBytes) } : { fn }
  // A megabyte a time is plenty of anything.
  const wide = mode === 'one' ? 1 : Math.max(1, Math.min(width, Math.floor(64e6 / (payloadBytes + 1))))
  for (let left = count; left > 0; left -= wide) {
    const now = Math.min(wide, left)
    const deferMs = dueAt === undefined ? later : Math.max(1, dueAt - Date.now())
    if (mode === 'bulk') await producer.enqueueMany!(Array<JobCall>(now).fill(call), deferMs)
    else await Promise.all(Array.from({ length: now }, () => producer.enqueue(call, deferMs)))
  }
}

async function produce(producer: Producer, { count, everyMs, perTick }: RoleOptions): Promise<void> {
  const sent: Promise<unknown>[] = []
  const start = performance.now()
  for (let tick = 0; sent.length < count; tick++) {
    for (let i = 0; i < perTick && sent.length < count; i++) sent.push(producer.enqueue({ fn: 'probe', arg: nowUs() }))
    const wait = start + (tick + 1) * everyMs - performance.now()
    if (wait > 0) await sleep(wait)
  }
  await Promise.all(sent)
  say({ sent: count })
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** getrusage counts what the parent had when it forked; the kernel's own mark does not. */
function peakRss(): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024
  } catch {
    return process.resourceUsage().maxRSS * 1024
  }
}
