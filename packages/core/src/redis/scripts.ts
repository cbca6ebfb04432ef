import { Command } from 'ioredis'
import type { Redis } from 'ioredis'
import { encodeCommand } from './resp.ts'
import type { RespPart } from './resp.ts'
import { luaShas, luaSources } from './scripts.generated.ts'
import { replyOf } from './transient.ts'

export type ScriptName = keyof typeof luaSources

/** What a script takes. */
export type ScriptValue = RespPart

/** What a script gives: bulk strings stay bytes. */
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
 */
export async function runScript(
  client: Redis,
  name: ScriptName,
  keys: readonly string[],
  args: readonly ScriptValue[],
): Promise<ScriptReply[]> {
  return evaluate(client, { sha: luaShas[name], source: luaSources[name] }, keys, args)
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

function send(
  client: Redis,
  command: string,
  script: string,
  keys: readonly string[],
  args: readonly ScriptValue[],
): Promise<ScriptReply[]> {
  return client.sendCommand(new EncodedCommand(command, script, keys, args)) as Promise<ScriptReply[]>
}
