import type { Redis } from 'ioredis'
import { isError } from '@arq-ts/protocol/values'
import { RedisReplyError } from '../errors.ts'
import { loadedDriver } from './driver.ts'
import { sendId } from './id-bytes.ts'
import { deniedIn, isDenied, namedDenial } from './reasons.ts'
import type { CheckedCall } from './reply-shape.ts'
import type { RespPart } from './resp.ts'
import { luaShas, luaSources } from './scripts.generated.ts'
import { replyOf } from './transient.ts'
import { typeInScript, wrongTypeAt } from './key-kinds.ts'

export type ScriptName = keyof typeof luaSources

/** Argument of a script. */
export type ScriptValue = RespPart

/** Reply of a script: bulk strings stay bytes. */
export type ScriptReply = number | Buffer | null | ScriptReply[]

/**
 * Runs a script by its digest, and by its source where the server does not know it (new server, SCRIPT FLUSH,
 * failover). `onRepeat` is called before the same call is written again, and may change its arguments. A reply is checked
 * by its shape, and by the number of `jobs` where that is given.
 *
 * @throws RedisReplyError that names the key where one has a wrong type, and what the user may not do.
 */
export function runScript(
  client: Redis,
  name: ScriptName,
  keys: readonly string[],
  args: readonly ScriptValue[],
  onRepeat?: () => unknown,
  jobs?: number,
): Promise<ScriptReply[]> {
  const call = { client, name, jobs }
  return send(client, 'evalsha', luaShas[name], keys, args, onRepeat, call).catch(async (error: unknown) => {
    try {
      return await sendSource(client, luaSources[name], keys, args, error, onRepeat, call)
    } catch (thrown) {
      if (isError(thrown) && replyOf(thrown).startsWith('WRONGTYPE')) throw await named(client, keys, thrown)
      if (isError(thrown) && isDenied(replyOf(thrown)))
        throw await namedDenial(client, thrown, { name, source: luaSources[name], keys })
      throw thrown
    }
  })
}

/** The reason of a fault that a script reports, with what the user lacks where that is the reason. */
export function faultIn(name: ScriptName, reason: string): string {
  return deniedIn(reason, name, luaSources[name])
}

/** Runs a script that is not among our files: those of task packages. */
export function evaluate(
  client: Redis,
  { sha, source }: { sha: string; source: string },
  keys: readonly string[],
  args: readonly ScriptValue[],
): Promise<ScriptReply[]> {
  return send(client, 'evalsha', sha, keys, args).catch((error: unknown) =>
    sendSource(client, source, keys, args, error),
  )
}

/** Sends a script whose digest the server does not know. @throws `error` where it is another one. */
function sendSource(
  client: Redis,
  source: string,
  keys: readonly string[],
  args: readonly ScriptValue[],
  error: unknown,
  onRepeat?: () => unknown,
  call?: CheckedCall,
): Promise<ScriptReply[]> {
  if (!isError(error) || !replyOf(error).startsWith('NOSCRIPT')) throw error
  return send(client, 'eval', source, keys, args, onRepeat, call)
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
  onRepeat?: () => unknown,
  call?: CheckedCall,
): Promise<ScriptReply[]> {
  const { ScriptCommand } = loadedDriver()!
  const sent = new ScriptCommand(command, script, keys, args, onRepeat, call)
  return client.sendCommand(sent) as Promise<ScriptReply[]>
}
