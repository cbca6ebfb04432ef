/** Codes of refused requests, and the status each is sent with. */
export const STATUS_OF = {
  invalid_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  read_only: 403,
  cross_origin: 403,
  host_not_allowed: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  gone: 410,
  too_large: 413,
  unsupported_media_type: 415,
  internal: 500,
  not_available: 501,
  redis_unavailable: 503,
} as const

/** Code of a refused request. */
export type RefusalCode = keyof typeof STATUS_OF

/** Ends a request with an error for its reader: what happened, why, and what to do. */
export class Refusal extends Error {
  readonly code: RefusalCode
  readonly headers: Readonly<Record<string, string>>

  constructor(code: RefusalCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.code = code
    this.headers = headers
  }

  get status(): number {
    return STATUS_OF[this.code]
  }
}
