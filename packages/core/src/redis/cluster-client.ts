import { Cluster } from 'ioredis'
import type { ClusterNode, Command, Redis } from 'ioredis'
import { hashTagOf, keySlot } from './key-kinds.ts'

/** Destination of one attempt of a pipeline, as ioredis hands it to each of its commands. */
interface Route {
  slot: number
  redis?: Redis | undefined
}

/** Reactions of ioredis to a reply that redirects. */
interface RedirectHandlers {
  moved: (slot: string, key: string) => void
  ask: (slot: string, key: string) => void
}

/** Parts of ioredis's cluster that it does not publish. */
interface Internals {
  connectionPool: {
    getInstanceByKey(key: string): Redis | undefined
    getSampleInstance(role: 'master'): Redis | undefined
    findOrCreate(node: object): Redis
  }
  natMapper(key: string): { host: string; port: number }
}

type Options = NonNullable<ConstructorParameters<typeof Cluster<'legacy'>>[1]>

/** Time for which a list of the nodes that are away is used, in ms. */
const AWAY_MS = 1_000

/** Replies that no server gives to ASKING: they belong to another command. */
const NOT_FOR_ASKING = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|NOSCRIPT|WRONGTYPE) /

/**
 * ioredis's cluster client, with three repairs of version 6.0.0, each of which broke the order of replies or ended the
 * process:
 *
 * - A pipeline chooses its node command by command, and writes when it has as many commands as it expects. Where the
 *   node of the first one was not ready and that of the next one was, the bytes stayed behind, but the commands waited
 *   for replies: from then on each reply on that connection went to a command further back. Here one attempt of a
 *   pipeline has one node, or none, and each command is written when it is queued.
 * - A node that MOVED or ASK names is looked for by the address in the reply, although the pool knows it by the address
 *   that `natMap` gives, and does not know one without slots at all. A pipeline was then sent to any node.
 * - Nobody hears the rejection of an ASKING whose connection closes, which ends the process.
 */
export class SteadyCluster extends Cluster {
  readonly #nodes = new WeakMap<Route, Redis | null>()
  readonly #internals = this as unknown as Internals
  /** Nodes that were away at the last look, and until when that is held to be true, on the monotonic clock. */
  #away = { nodes: [] as string[], untilMs: -Infinity }
  /** The address that was mapped already, while ioredis is about to map it. */
  #mapped: string | undefined

  constructor(nodes: ClusterNode[], options: Options) {
    const { natMap } = options
    const map = typeof natMap === 'function' ? natMap : (key: string) => natMap?.[key] ?? null
    super(nodes, { ...options, ...(natMap ? { natMap: (key) => (key === this.#mapped ? null : map(key)) } : {}) })
    this.on('+node', listenToAsking)
  }

  override sendCommand(command: Command, stream?: never, route?: Route): unknown {
    // Without a stream there is one command, which is written as it is queued.
    if (stream === undefined || route === undefined || this.status !== 'ready')
      return super.sendCommand(command, stream, route)
    let node = this.#nodes.get(route)
    if (node === undefined) {
      node = this.#nodeOf(route) ?? null
      this.#nodes.set(route, node)
      if (node) writeTogether(node)
    }
    if (node === null) command.reject(new Error('Connection is closed.'))
    else void node.sendCommand(command)
    return command.promise
  }

  override handleError(error: Error, ttl: { value?: unknown }, handlers: RedirectHandlers): void {
    const { moved, ask } = handlers
    super.handleError(error, ttl, {
      ...handlers,
      moved: (slot: string, key: string) => this.#follow(moved, slot, key),
      ask: (slot: string, key: string) => this.#follow(ask, slot, key),
    })
  }

  /**
   * The primaries that hold keys under a prefix. A prefix with a hash tag lies in one slot: that is its owner, and the node
   * to which the slot moves meanwhile. The others need not be there.
   */
  async primariesOf(prefix: string): Promise<Redis[]> {
    const all = this.nodes('master')
    if (hashTagOf(prefix) === undefined) return all
    const slot = keySlot(prefix)
    const key = this.slots[slot]?.[0]
    const owner = this.#nodeAt(key)
    if (!owner) {
      this.#hasLost(key)
      // The others would answer that there are no keys.
      throw new Error(`Connection is closed: no node has slot ${slot}`)
    }
    const nodes = (await owner.cluster('NODES').catch((error: Error) => {
      if (error.name === 'ReplyError') return null
      this.#hasLost(key)
      throw error
    })) as string | null
    // A user who may not ask has all of them looked at.
    if (nodes === null) return all
    if (!ownsSlot(nodes, slot)) {
      this.refreshSlotsCache()
      return all
    }
    const [, to] = new RegExp(`\\[${slot}->-(\\w+)\\]`).exec(nodes) ?? []
    if (to === undefined) return [owner]
    const [, address = ''] = new RegExp(`^${to} ([^@ ]+)`, 'm').exec(nodes) ?? []
    return address === ''
      ? all
      : [owner, this.#internals.connectionPool.findOrCreate(this.#internals.natMapper(address))]
  }

  /** Addresses of primaries, by the slots that they own, to which there is no connection. ioredis forgets a node that it has lost. */
  get nodesAway(): string[] {
    const nowMs = performance.now()
    // Thousands of calls may fail at once.
    if (nowMs >= this.#away.untilMs) this.#away = { nodes: this.#findAway(), untilMs: nowMs + AWAY_MS }
    return this.#away.nodes
  }

  #findAway(): string[] {
    const owners = new Set(Array.from(this.slots as (string[] | undefined)[], (keys) => keys?.[0]))
    const isThere = (key: string) => ['ready', 'wait'].includes(this.#nodeAt(key)?.status ?? '')
    return [...owners].filter((key): key is string => key !== undefined && !isThere(key))
  }

  /** Takes note that a node is away, and looks at the cluster anew: its replica may have its slots by now. */
  #hasLost(key: string | undefined): void {
    const nodes = new Set([...this.#findAway(), ...(key === undefined ? [] : [key])])
    this.#away = { nodes: [...nodes], untilMs: performance.now() + AWAY_MS }
    this.refreshSlotsCache()
  }

  #nodeAt(key: string | undefined): Redis | undefined {
    return key === undefined ? undefined : this.#internals.connectionPool.getInstanceByKey(key)
  }

  /** Follows a redirection to a node that the pool knows, by the address that it has there. */
  #follow(handler: (slot: string, key: string) => void, slot: string, key: string): void {
    const to = this.#internals.natMapper(key)
    const mapped = `${to.host}:${to.port}`
    this.#internals.connectionPool.findOrCreate(to)
    this.#mapped = mapped
    try {
      handler(slot, mapped)
    } finally {
      this.#mapped = undefined
    }
  }

  /** The node of a pipeline; undefined where it takes no commands now. */
  #nodeOf({ slot, redis }: Route): Redis | undefined {
    const pool = this.#internals.connectionPool
    const owner = this.slots[slot]?.[0]
    const node = redis ?? this.#nodeAt(owner) ?? pool.getSampleInstance('master')
    const isReady = node?.status === 'ready' || node?.status === 'wait' || this.options.enableOfflineQueue
    return isReady ? node : undefined
  }
}

/** True where the node that answered CLUSTER NODES says that it has a slot. */
function ownsSlot(nodes: string, slot: number): boolean {
  const [, , , , , , , , ...ranges] = (/^.*\bmyself\b.*$/m.exec(nodes)?.[0] ?? '').split(' ')
  return ranges.some((range) => {
    const [from, to = from] = range.split('-').map(Number)
    return from! <= slot && slot <= to!
  })
}

/** Sends what is written in this turn as one piece. */
function writeTogether({ stream }: Redis): void {
  if (!stream) return
  stream.cork()
  process.nextTick(() => stream.uncork())
}

/** The command after ASKING reports what went wrong. A reply that belongs to another command ends the connection. */
function listenToAsking(node: Redis): void {
  const asking = node.asking.bind(node) as () => Promise<string>
  node.asking = (() =>
    asking().then(
      (reply) => {
        if (reply !== 'OK') node.disconnect()
        return reply
      },
      (error: Error) => {
        if (NOT_FOR_ASKING.test(error.message)) node.disconnect()
        return 'OK'
      },
    )) as Redis['asking']
}
