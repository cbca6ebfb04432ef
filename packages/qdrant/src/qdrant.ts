/** The way to Qdrant: its client, and its failures in words. */
import { ArqError } from '@arq-ts/core'
import { QdrantClient, QdrantClientResourceExhaustedError, QdrantClientTimeoutError } from '@qdrant/js-client-rest'
import { z } from 'zod'
import { countSchema } from './check.ts'

/** Address of Qdrant. */
export interface QdrantConnection {
  /** Default `http://localhost:6333`. Without a port: 6333. A path is put before every call's own. */
  url?: string
  /** Default none. */
  apiKey?: string
  /** Bound on one call, in ms. Default 30,000. */
  timeoutMs?: number
}

export const connectionShape = {
  url: z.url({ protocol: /^https?$/, error: 'Expected a URL such as http://localhost:6333' }).optional(),
  apiKey: z.string('Expected a string').min(1, 'Expected a string that is not empty').optional(),
  timeoutMs: countSchema.max(2_147_483_647, 'Expected at most 2147483647').optional(),
}

/** A client of Qdrant by its settings, which are checked before. */
export function connect({ url = 'http://localhost:6333', apiKey, timeoutMs = 30_000 }: QdrantConnection): QdrantClient {
  const { origin, pathname } = new URL(url)
  const prefix = pathname.replace(/\/+$/, '')
  return new QdrantClient({
    url: origin,
    timeout: timeoutMs,
    checkCompatibility: false, // it would print to the console
    ...(prefix === '' ? {} : { prefix }),
    // As a header: given as its own option, the client prints to the console where the URL is http.
    ...(apiKey === undefined ? {} : { headers: { 'api-key': apiKey } }),
  })
}

/** True where the key crosses a network that others may read. */
export function sendsKeyInClear({ apiKey, url }: QdrantConnection): boolean {
  if (apiKey === undefined || url === undefined) return false
  const { hostname, protocol } = new URL(url)
  return protocol === 'http:' && !/^(localhost|127\..*|\[::1\])$/.test(hostname)
}

/** Qdrant refused a call, failed at it, or did not answer. `cause` is what its client threw. */
export class QdrantError extends ArqError {
  readonly code = 'ARQ_QDRANT'
  /** The HTTP status, where there was an answer. */
  readonly status: number | undefined
  /** True where the same call may succeed later: no answer, overload, a failure of Qdrant's own. */
  readonly temporary: boolean

  constructor(what: string, cause: unknown) {
    const { status, reason } = answerOf(cause)
    super(`${what}: Qdrant ${status === undefined ? 'did not answer' : `answered ${status}`}: ${reason}`, { cause })
    this.status = status
    this.temporary = status === undefined || !FINAL.has(status) || reason.startsWith('Storage locked')
  }
}

/** Answers that stay the same however often one asks: a wrong key, a call that Qdrant does not understand. */
const FINAL: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 409, 422])

/** The status of an answer, where there was one, and Qdrant's or the client's words. */
function answerOf(thrown: unknown): { status: number | undefined; reason: string } {
  if (!(thrown instanceof Error)) return { status: undefined, reason: String(thrown) }
  const { status, data, message, cause } = thrown as Error & { status?: number; data?: { status?: { error?: string } } }
  if (status !== undefined) return { status, reason: data?.status?.error ?? message }
  if (thrown instanceof QdrantClientResourceExhaustedError) return { status: 429, reason: message }
  if (thrown instanceof QdrantClientTimeoutError) return { status, reason: 'its time was up' }
  // `fetch failed` alone does not say that the connection was refused.
  return { status, reason: cause instanceof Error && cause.message !== '' ? `${message} (${cause.message})` : message }
}

/** Runs one call; `what` begins the message of its failure. @throws QdrantError */
export async function ask<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw new QdrantError(what, error)
  }
}

/** Every alias with its collection. A map: an alias may be called `__proto__`. */
export async function readAliases(what: string, qdrant: QdrantClient): Promise<Map<string, string>> {
  const { aliases } = await ask(what, () => qdrant.getAliases())
  return new Map(aliases.map((alias) => [alias.alias_name, alias.collection_name]))
}
