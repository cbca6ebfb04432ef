import { Refusal } from './refusal.ts'

/** Bytes of a request's body at most. */
export const MAX_BODY_BYTES = 256 * 1024

/** Reads a body as a JSON object, and no more of it than is allowed; an empty body is an empty object. @throws Refusal */
export async function readBody(request: Request): Promise<Record<string, unknown>> {
  const tooLarge = () =>
    new Refusal('too_large', `the body is larger than ${MAX_BODY_BYTES / 1024} KiB; send less at a time`)
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  if (request.body) {
    const reader = request.body.getReader() as ReadableStreamDefaultReader<Uint8Array>
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      size += value.byteLength
      if (size > MAX_BODY_BYTES) {
        await reader.cancel().catch(() => {})
        throw tooLarge()
      }
      chunks.push(value)
    }
  }
  if (size === 0) return {}
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)))
  } catch {
    throw new Refusal('invalid_request', 'the body is no JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal('invalid_request', 'the body is no JSON object')
  }
  return value as Record<string, unknown>
}
