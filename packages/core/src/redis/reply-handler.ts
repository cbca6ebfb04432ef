import type { Redis } from 'ioredis'
import imported from 'ioredis/built/DataHandler.js'
import { ReplyReader } from './reply-reader.ts'

/** Node gives the CommonJS module itself, other loaders its default export. */
const DataHandler = (imported as { default?: object }).default ?? imported

/** Parts of an ioredis client that it does not publish. */
interface Internals {
  stream?: NodeJS.ReadableStream | null
}

/** The part of ioredis that takes replies, made without its constructor, which starts ioredis's decoder. */
interface Handler {
  redis: Redis
  dispatch(handle: () => void): void
  returnReply(reply: unknown): void
  returnError(error: Error): void
  returnFatalError(error: Error): void
}

/** Has `ReplyReader` read the replies to a client in the place of ioredis's decoder. Which call a reply belongs to stays ioredis's affair. */
export function readReplies(client: Redis): void {
  // ioredis listens to the stream before it says that it is connected, and the first data come later.
  client.on('connect', () => {
    const { stream } = client as unknown as Internals
    const [decode, ...others] = stream?.listeners('data') ?? []
    if (!stream || !decode || others.length > 0) return
    const handler = Object.create((DataHandler as { prototype: object }).prototype) as Handler
    handler.redis = client
    const reader = new ReplyReader((reply) => {
      handler.dispatch(() => (reply instanceof Error ? handler.returnError(reply) : handler.returnReply(reply)))
    })
    stream.on('data', (chunk: Buffer) => {
      try {
        reader.write(chunk)
      } catch (error) {
        handler.returnFatalError(error as Error)
      }
    })
    stream.removeListener('data', decode as () => void)
  })
}
