import { connect } from 'node:net'
import type { NetConnectOpts } from 'node:net'
import { RedisReplyError } from '../errors.ts'
import type { TargetSettings } from './target.ts'

/** Time a server has for its reason, in ms. One that accepts the connection stays silent. */
const LISTEN_MS = 1_000
/** The longest reason that is read, in bytes. */
const MAX_REPLY_BYTES = 1_024

/** The place to connect to without a word, where there is one: a server by its own address, without TLS. */
export function listeningPlace(settings: TargetSettings): NetConnectOpts | undefined {
  if (settings.kind === 'cluster') return undefined
  const { sentinels, tls, path, host, port, family } = settings.options
  if (sentinels || tls) return undefined
  return path ? { path } : { host: host ?? 'localhost', port: port ?? 6_379, ...(family ? { family } : {}) }
}

/**
 * The reason for which a server refuses every connection: too many clients, protected mode. Such a server writes its
 * reason and closes at once; the reason is lost for a client that writes its own first command into the closed
 * connection. This one only reads.
 */
export function readRefusal(place: NetConnectOpts): Promise<RedisReplyError | undefined> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(place)
    const end = () => {
      socket.destroy()
      const [line] = text.split('\r\n', 1)
      resolve(line?.startsWith('-') ? new RedisReplyError(line.slice(1)) : undefined)
    }
    socket.setEncoding('latin1')
    socket.setTimeout(LISTEN_MS, end)
    socket.unref()
    socket.on('data', (chunk: string) => {
      text += chunk
      if (text.includes('\r\n') || text.length > MAX_REPLY_BYTES) end()
    })
    socket.on('error', () => {})
    socket.on('close', end)
  })
}
