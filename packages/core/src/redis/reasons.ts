/** Reasons why Redis cannot be reached or used, in words for a log line and an error. */

import { RedisReplyError } from '../errors.ts'

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
