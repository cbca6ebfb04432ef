import type { Redis } from 'ioredis'
import { RedisReplyError } from '../errors.ts'
import type { SteadyCluster } from './cluster-client.ts'
import type { Connection } from './connection.ts'
import { readId, sendId } from './id-bytes.ts'
import { countCommands } from './meter.ts'
import { runScript } from './scripts.ts'
import type { ScriptName, ScriptReply, ScriptValue } from './scripts.ts'
import { withoutCommand } from './transient.ts'
import { deniedAt, isDenied } from './reasons.ts'
import { wrongTypeAt } from './key-kinds.ts'

/** Keys read per round trip when many are read. */
export const PAGE = 500

/** One command and its arguments; the first of them is the key. */
export type Call = [command: string, ...args: (string | number | Buffer)[]]

/** The answer to a call whose key holds another type than the command reads. */
export class WrongType {
  readonly key: string

  constructor(key: string) {
    this.key = key
  }
}

/** Damaged keys that are remembered. */
const MAX_MET = 1_000

/** Plain commands over a connection, one by one or together. Calls wait out an outage, up to `timeoutMs`. */
export class Calls {
  /** Keys of a wrong type that tolerant calls met, the first thousand; whoever shows an answer takes them out and names them. */
  readonly met = new Set<string>()
  readonly #connection: Connection
  readonly #timeoutMs: number | undefined
  #mayRunScripts = true

  constructor(connection: Connection, timeoutMs?: number) {
    this.#connection = connection
    this.#timeoutMs = timeoutMs
  }

  /** Runs an operation that sends `commands` commands. */
  run<T>(operation: (client: Connection['client'], attempt: number) => Promise<T>, commands = 1): Promise<T> {
    countCommands(commands)
    return this.#connection.run(operation, { timeoutMs: this.#timeoutMs })
  }

  /** Runs a script. @throws RedisReplyError that names the key where one has a wrong type. */
  script(name: ScriptName, keys: readonly string[], args: readonly ScriptValue[]): Promise<ScriptReply[]> {
    return this.run((client) => runScript(client, name, keys, args))
  }

  /** Runs a script that only reads; undefined where this user may run no scripts, as one that only looks may not. */
  async readingScript(
    name: ScriptName,
    keys: readonly string[],
    args: readonly ScriptValue[] = [],
  ): Promise<ScriptReply[] | undefined> {
    if (!this.#mayRunScripts) return undefined
    try {
      return await this.script(name, keys, args)
    } catch (error) {
      if (!(error instanceof RedisReplyError) || error.prefix !== 'NOPERM') throw error
      this.#mayRunScripts = false
      return undefined
    }
  }

  /** @throws the first error that Redis answers with. */
  pipeline(calls: readonly Call[]): Promise<unknown[]> {
    return this.#send(calls, throwing)
  }

  /** Like `pipeline`, but a key of the wrong type is an answer of its own, and stops no other call. */
  attempt(calls: readonly Call[]): Promise<unknown[]> {
    return this.#send(calls, this.#tolerant)
  }

  /**
   * Sends writes that serve nobody but later looks, once: a server that takes none (a replica, a full one), or a user who
   * may not write, keeps nothing, and nobody waits for another answer.
   */
  async note(calls: readonly Call[]): Promise<void> {
    await this.run((client) => client.pipeline(bytesOf(calls)).exec(), calls.length).catch(() => {})
  }

  /** All calls at one moment, in one slot. @throws the first error that Redis answers with. */
  transaction(calls: readonly Call[]): Promise<unknown[]> {
    return this.#exec(calls, throwing)
  }

  /** Like `transaction`; a key of the wrong type is an answer of its own. */
  attemptTogether(calls: readonly Call[]): Promise<unknown[]> {
    return this.#exec(calls, this.#tolerant)
  }

  /** Keys under a prefix, a page at a time. Of a cluster, the nodes that hold them are scanned; a key may come twice, as SCAN has it. */
  async *scan(
    prefix: string,
    options: { type?: string; count?: number; suffix?: string } = {},
  ): AsyncGenerator<string[]> {
    const { type, count = PAGE, suffix = '' } = options
    const nodes = await this.#nodesOf(prefix)
    const pattern = `${escapeGlob(prefix)}*${escapeGlob(suffix)}`
    const filter = ['MATCH', pattern, 'COUNT', String(count), ...(type ? ['TYPE', type] : [])]
    for (const node of nodes) {
      let cursor = '0'
      do {
        const [next, keys] = (await this.run(() => node.callBuffer('SCAN', cursor, ...filter))) as [Buffer, Buffer[]]
        cursor = next.toString()
        yield keys.map(readId)
      } while (cursor !== '0')
    }
  }

  /**
   * One step of a scan that a later call continues: `cursor` is null at the start, and the answer's is null at the end.
   * It names the primary by its place, so a cluster that changes meanwhile may have parts scanned twice, or not at all.
   */
  async scanStep(
    prefix: string,
    cursor: string | null,
    count = PAGE,
  ): Promise<{ keys: string[]; cursor: string | null }> {
    const [place = '0', at = '0'] = (cursor ?? '0/0').split('/')
    const nodes = await this.#nodesOf(prefix)
    const node = nodes[Number(place)]
    if (!node) return { keys: [], cursor: null }
    const filter = ['MATCH', `${escapeGlob(prefix)}*`, 'COUNT', String(count)]
    const [next, keys] = (await this.run(() => node.callBuffer('SCAN', at, ...filter))) as [Buffer, Buffer[]]
    const isOver = next.toString() === '0'
    const following = isOver ? (Number(place) + 1 < nodes.length ? `${Number(place) + 1}/0` : null) : `${place}/${next}`
    return { keys: keys.map(readId), cursor: following }
  }

  #nodesOf(prefix: string): Promise<Redis[]> {
    return this.run(async (client) =>
      client.isCluster ? (client as unknown as SteadyCluster).primariesOf(prefix) : [client],
    )
  }

  readonly #tolerant: Reader = (replies, calls) =>
    whole(replies).map((reply, i) => {
      if (!reply[0]?.message.startsWith('WRONGTYPE')) return valueOf(reply, calls[i]!)
      const key = String(calls[i]![1])
      if (this.met.size < MAX_MET) this.met.add(key)
      return new WrongType(key)
    })

  // Errors are thrown within `run`, which knows which of them pass.
  #send(calls: readonly Call[], read: Reader): Promise<unknown[]> {
    if (calls.length === 0) return Promise.resolve([])
    return this.run(async (client) => read(await client.pipeline(bytesOf(calls)).exec(), calls), calls.length)
  }

  #exec(calls: readonly Call[], read: Reader): Promise<unknown[]> {
    return this.run(async (client) => {
      try {
        return read(await client.multi(bytesOf(calls)).exec(), calls)
      } catch (error) {
        const denied = deniedIn(error)
        if (denied) throw denied
        if (!isOutOfMemory(error) || !calls.every(([command]) => READS.has(command))) throw error
        // Redis that is out of memory takes no transaction, not even one of reads. It ends and moves no job either, until
        // it has memory again: the last call is sent first, so that a job which ends just then is not missed by all.
        const backwards = calls.toReversed()
        return read((await client.pipeline(bytesOf(backwards)).exec())?.toReversed() ?? null, calls)
      }
    }, calls.length + 2)
  }
}

/** Commands of transactions that only read. */
const READS: ReadonlySet<string> = new Set([
  'exists',
  'get',
  'getBuffer',
  'hgetall',
  'hgetallBuffer',
  'hget',
  'hmget',
  'pttl',
  'scard',
  'sismember',
  'smembers',
  'zscore',
])

/** The reason of a discarded transaction, where that is a call which the user may not make. */
function deniedIn(error: unknown): RedisReplyError | undefined {
  const [first] =
    (error as { previousErrors?: (Error & { command?: { name: string; args: unknown[] } })[] }).previousErrors ?? []
  if (!first?.command || !isDenied(first.message)) return undefined
  return new RedisReplyError(deniedAt(first.message, first.command.name, String(first.command.args[0])))
}

function isOutOfMemory(error: unknown): boolean {
  const { message } = withoutCommand(error) as Error
  return message.startsWith('OOM')
}

type Reply = [Error | null, unknown]
type Reader = (replies: Reply[] | null, calls: readonly Call[]) => unknown[]

const throwing: Reader = (replies, calls) => whole(replies).map((reply, i) => valueOf(reply, calls[i]!))

function whole(replies: Reply[] | null): Reply[] {
  if (replies === null) throw new Error('the transaction was discarded')
  return replies
}

function valueOf([error, value]: Reply, [command, key]: Call): unknown {
  if (error?.message.startsWith('WRONGTYPE')) throw new RedisReplyError(wrongTypeAt(String(key)))
  if (error && isDenied(error.message)) throw new RedisReplyError(deniedAt(error.message, command, String(key)))
  if (error) throw error
  // Fields of a hash have any names: `constructor` is none unless it is there.
  if (command.startsWith('hgetall')) return Object.setPrototypeOf(value, null)
  return NAMING.has(command) && Array.isArray(value) ? (value as Buffer[]).map(readId) : value
}

/** Commands whose replies are lists of names: ids, members and their scores. Names may be any bytes. */
const NAMING: ReadonlySet<string> = new Set([
  'zrange',
  'zrevrange',
  'zrangebyscore',
  'zrandmember',
  'smembers',
  'hkeys',
])

/** Ids and keys that are not UTF-8 go out as the bytes they are, and names come back as such. */
function bytesOf(calls: readonly Call[]): unknown[][] {
  return calls.map(([command, ...args]) => [
    NAMING.has(command) ? `${command}Buffer` : command,
    ...args.map((part) => (typeof part === 'string' ? sendId(part) : part)),
  ])
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&')
}
