import { Command } from 'ioredis'
import type { Redis } from 'ioredis'
import { luaShas, luaSources } from './scripts.generated.ts'

export type ScriptName = keyof typeof luaSources

/** What a script takes: ioredis writes strings and buffers as they are. */
export type ScriptValue = string | number | Uint8Array

/** What a script gives: bulk strings stay bytes. */
export type ScriptReply = number | Buffer | null | ScriptReply[]

/**
 * Runs a script by its digest, and by its source where the server does not know it (new server, SCRIPT FLUSH,
 * failover). A Command is built by hand since evalshaBuffer would spread thousands of arguments over the stack.
 */
export async function runScript(
  client: Redis,
  name: ScriptName,
  keys: readonly string[],
  args: readonly ScriptValue[],
): Promise<ScriptReply[]> {
  const rest = [keys.length, ...keys, ...args] as (string | number | Buffer)[]
  try {
    return await send(client, 'evalsha', [luaShas[name], ...rest])
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return send(client, 'eval', [luaSources[name], ...rest])
  }
}

function send(client: Redis, command: string, args: (string | number | Buffer)[]): Promise<ScriptReply[]> {
  const built = new Command(command, args, { replyEncoding: null })
  return client.sendCommand(built) as Promise<ScriptReply[]>
}
