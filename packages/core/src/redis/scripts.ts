import { Command } from 'ioredis'
import type { Redis } from 'ioredis'
import { RedisReplyError } from '../errors.ts'
import { sendId } from './id-bytes.ts'
import { encodeCommand } from './resp.ts'
import type { RespPart } from './resp.ts'
import { luaShas, luaSources } from './scripts.generated.ts'
import { replyOf } from './transient.ts'
import { typeInScript, wrongTypeAt } from './key-kinds.ts'

export type ScriptName = keyof typeof luaSources

/** Argument of a script. */
export type ScriptValue = RespPart

/** Reply of a script: bulk strings stay bytes. */
export type ScriptReply = number | Buffer | null | ScriptReply[]

/** A command whose bytes are ready. What ioredis reads of its arguments is the first key, for the slot in a cluster. */
class EncodedCommand extends Command {
  readonly #bytes: Buffer

  constructor(name: string, script: string, keys: readonly string[], args: readonly ScriptValue[]) {
    super(name, keys.length > 0 ? [script, 1, keys[0]!] : [script, 0], { replyEncoding: null })
    this.#bytes = encodeCommand([name, script, keys.length], keys, args)
  }

  override toWritable(): Buffer {
    return this.#bytes
  }
}

/**
 * Runs a script by its digest, and by its source where the server does not know it (new server, SCRIPT FLUSH,
 * failover).
 *
 * @throws RedisReplyError that names the key where one has a wrong type.
 */
export async function runScript(
  client: Redis,
  name: ScriptName,
  keys: readonly string[],
  args: readonly ScriptValue[],
): Promise<ScriptReply[]> {
  try {
    return await evaluate(client, { sha: luaShas[name], source: luaSources[name] }, keys, args)
  } catch (error) {
    if (error instanceof Error && replyOf(error).startsWith('WRONGTYPE')) throw await named(client, keys, error)
    throw error
  }
}

/** Runs a script that is not among our files: those of task packages. */
export async function evaluate(
  client: Redis,
  { sha, source }: { sha: string; source: string },
  keys: readonly string[],
  args: readonly ScriptValue[],
): Promise<ScriptReply[]> {
  try {
    return await send(client, 'evalsha', sha, keys, args)
  } catch (error) {
    if (!(error instanceof Error) || !replyOf(error).startsWith('NOSCRIPT')) throw error
    return send(client, 'eval', source, keys, args)
  }
}

/** Keys whose types are asked for, to name the one that a script stumbled on. */
const MAX_ASKED = 2_000

/** The same error with the key in it; as it is where no key has a wrong type any more. */
async function named(client: Redis, keys: readonly string[], error: Error): Promise<Error> {
  const asked = keys.slice(0, MAX_ASKED)
  const types = await client.pipeline(asked.map((key) => ['type', sendId(key)])).exec()
  for (const [i, key] of asked.entries()) {
    const type = String(types?.[i]?.[1] ?? 'none')
    if (type !== 'none' && type !== typeInScript(key)) return new RedisReplyError(wrongTypeAt(key, type))
  }
  return error
}

function send(
  client: Redis,
  command: string,
  script: string,
  keys: readonly string[],
  args: readonly ScriptValue[],
): Promise<ScriptReply[]> {
  return client.sendCommand(new EncodedCommand(command, script, keys, args)) as Promise<ScriptReply[]>
}
