import type { Redis } from 'ioredis'

/** Time for which commands may wait while nothing comes, before the connection is taken for dead, in ms. */
const SILENCE_MS = 15_000
/** Number of looks at a connection in that time. */
const LOOKS = 15

/** Parts of an ioredis client that it does not publish. */
interface Internals {
  stream?: { bytesRead: number; destroy: (error: Error) => void } | null
  commandQueue: { length: number }
}

/**
 * Ends connections to a peer that has gone without a word, so that the client opens others: commands wait, and nothing has
 * come for `silenceMs`. ioredis's own `socketTimeout` sets a timer and a listener for each round trip, which takes a tenth
 * of the CPU of a producer. Looks are counted, not the time: a process that stands still for long has not listened.
 */
export function endWhenSilent(client: Redis, silenceMs = SILENCE_MS): void {
  let timer: NodeJS.Timeout | undefined
  client.on('connect', () => {
    let bytesRead = -1
    let silentLooks = 0
    clearInterval(timer)
    timer = setInterval(() => {
      const { commandQueue, stream } = client as unknown as Internals
      if (!stream) return
      silentLooks = commandQueue.length > 0 && stream.bytesRead === bytesRead ? silentLooks + 1 : 0
      bytesRead = stream.bytesRead
      if (silentLooks > LOOKS) stream.destroy(new Error(`Socket timeout: nothing came for ${silenceMs} ms`))
    }, silenceMs / LOOKS).unref()
  })
  client.on('close', () => clearInterval(timer))
}
