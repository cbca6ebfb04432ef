/** Reasons why Redis cannot be reached or used, in words for a log line and an error. */

import type { Redis } from 'ioredis'
import { showId } from '@arq-ts/protocol/jobs'
import { RedisReplyError } from '../errors.ts'
import { sendId } from './id-bytes.ts'
import { kindOfKey } from './key-kinds.ts'

const CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused; is Redis running there?',
  ENOTFOUND: 'the host is unknown',
  EAI_AGAIN: 'the host name cannot be resolved now',
  ETIMEDOUT: 'no answer to the attempt to connect; is the host right, and the port open?',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ECONNRESET: 'the connection was reset; does the port want TLS (rediss://)?',
  ENOENT: 'there is no such socket',
  EACCES: 'the socket may not be opened',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the port does not speak TLS; use redis:// instead of rediss://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the port does not speak TLS; use redis:// instead of rediss://',
  EPROTO: 'TLS failed; use redis:// where the port does not speak it',
}

/** Advice about a reply, by its first word. */
const ADVICE: Readonly<Record<string, string>> = {
  ASK: 'this server is a node of a Redis Cluster, give it as redis: { cluster: [...] }',
  CLUSTERDOWN: 'give the slots of the primary that is away to another node, or wait for its replica',
  CROSSSLOT: 'in a Redis Cluster, keyPrefix needs a hash tag, such as {orders}:',
  LOADING: 'wait until it has read its data from disk',
  MASTERDOWN: 'connect to the primary, or restore the link to it',
  MISCONF: 'see the disk of the server: is it full, or not writable?',
  MOVED: 'this server is a node of a Redis Cluster, give it as redis: { cluster: [...] }',
  NOAUTH: 'give a user and a password, as in redis://user:password@host',
  NOREPLICAS: 'connect the replicas that min-replicas-to-write asks for',
  OOM: 'raise maxmemory, or remove what is not needed',
  READONLY: 'connect to the primary',
  TRYAGAIN: 'a slot of the Redis Cluster is being moved, wait until it is over',
  WRONGPASS: 'correct the user or the password',
}

/** A reply with what to do about it. */
export function withAdvice(reply: string): string {
  const advice = ADVICE[/^[A-Z]+/.exec(reply)?.[0] ?? '']
  return advice === undefined ? reply : `${reply.replace(/\.$/, '')}; ${advice}`
}

/** An error whose message says what to do; the same error where there is nothing to add. */
export function advised(error: RedisReplyError): RedisReplyError {
  const message = withAdvice(error.message)
  return message === error.message ? error : new RedisReplyError(message)
}

/** The reason of a failure as a clause: the server's own words, or what the error code means, with the original in brackets. */
export function reasonOf(error: Error): string {
  const inner = (error as { lastNodeError?: Error | null }).lastNodeError
  if (inner) return reasonOf(inner)
  if (error instanceof RedisReplyError || error.name === 'ReplyError') return withAdvice(error.message)
  if (/^(Unknown RESP type|Protocol error)/.test(error.message))
    return `what answers there is not Redis; is it an HTTP server, or a port that wants TLS? (${error.message})`
  const { code } = error as NodeJS.ErrnoException
  const words = code === undefined ? undefined : CODES[code]
  const original = error.message || code || error.name
  return words === undefined ? original : `${words} (${original})`
}

/** True where an error says only that a connection ended, which may be the consequence of one that says why. */
export function isVague(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException
  return (
    code === 'EPIPE' ||
    code === 'ECONNRESET' ||
    /^(Connection is closed|Stream isn't writeable|the connection was closed)/.test(error.message)
  )
}

/** Words of Redis 7.0, then of later servers, about a command within a script; both may have another first word. */
const IN_SCRIPT = /The user executing the script can't|ACL failure in script/
/** Keys that are tried, to name those that the user may not access. */
const MAX_TRIED = 50

const ABOUT_RIGHTS = 'see "Redis users" in docs/guides/security.md'

/** True for the reply to a call that the user may not make. */
export function isDenied(reply: string): boolean {
  return reply.startsWith('NOPERM') || IN_SCRIPT.test(reply)
}

/** A reply about missing rights with the call that was refused: it may name no key. */
export function deniedAt(reply: string, command: string, key: string): string {
  return /\bkeys?\b/.test(reply)
    ? `${reply} (${command.toUpperCase()} of '${showId(key)}'); ${ABOUT_RIGHTS}`
    : `${reply}; ${ABOUT_RIGHTS}`
}

/** A reply of a script; one about missing rights with the command it was about, or all commands that it may be about. */
export function deniedIn(reply: string, name: string, source: string): string {
  if (!IN_SCRIPT.test(reply)) return reply
  if (/'\S+' command/.test(reply)) return `${reply} (script '${name}'); ${ABOUT_RIGHTS}`
  const lines = source.split('\n')
  const at = /@user_script:(\d+)/.exec(reply)
  const commands = commandsOf(at ? (lines[Number(at[1]) - 1] ?? '') : source)
  return `${reply} (script '${name}', which uses ${commands.join(', ')}); ${ABOUT_RIGHTS}`
}

/** The reply to a script whose keys the user may not all access, with these keys: each is tried by a script that does nothing. */
export async function deniedKeys(client: Redis, reply: string, keys: readonly string[]): Promise<string> {
  const byKind = [...new Map(keys.map((key) => [kindOfKey(key), key])).values()].slice(0, MAX_TRIED)
  const tried = await client.pipeline(byKind.map((key) => ['eval', 'return 1', 1, sendId(key)])).exec()
  const denied = byKind.filter((_, i) => tried?.[i]?.[0])
  return denied.length === 0
    ? reply
    : `${reply} (${denied.map((key) => `'${showId(key)}'`).join(', ')}); ${ABOUT_RIGHTS}`
}

/** Commands that stand in a source, in the order of the alphabet. */
export function commandsOf(source: string): string[] {
  return [...new Set([...source.matchAll(/redis\.p?call\('([A-Z]+)'/g)].map(([, command]) => command!))].sort()
}

/** The error of a script, with what the user lacks where that is its reason. */
export async function namedDenial(
  client: Redis,
  error: Error,
  { name, source, keys }: { name: string; source: string; keys: readonly string[] },
): Promise<Error> {
  const { message } = error
  if (IN_SCRIPT.test(message)) return new RedisReplyError(deniedIn(message, name, source))
  if (/\bkeys?\b/.test(message)) return new RedisReplyError(await deniedKeys(client, message, keys))
  return error
}
