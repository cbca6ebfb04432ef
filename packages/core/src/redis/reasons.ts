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

/** The reason of a failure as a clause: the server's own words, or what the error code means, with the original in brackets. */
export function reasonOf(error: Error): string {
  const inner = (error as { lastNodeError?: Error | null }).lastNodeError
  if (inner) return reasonOf(inner)
  if (error instanceof RedisReplyError || error.name === 'ReplyError') return error.message
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
