import { signal } from '@preact/signals'
import { queryOf, segment } from '../format/names.ts'
import type { ApiError, PlanRequest, Plan, PlanOutcome, UndoOutcome, ActAnswer } from '@arq-ts/dashboard/api'

/** A request that the server refused, or that never reached it. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure'
  /** `unreachable`, or the code of the server's answer. */
  readonly code: string
  /** HTTP status; 0 where there was no answer. */
  readonly status: number

  constructor(code: string, message: string, status: number) {
    super(message)
    this.code = code
    this.status = status
  }
}

/** The part that did not answer the newest request; null while all answer. */
export const silent = signal<'server' | 'redis' | null>(null)

async function call<T>(
  path: string,
  init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> },
): Promise<T> {
  let response: Response
  try {
    response = await fetch(path, {
      ...init,
      credentials: 'same-origin',
      headers: { accept: 'application/json', ...init.headers },
    })
  } catch (error) {
    if (init.signal?.aborted) throw error
    silent.value = 'server'
    throw new ApiFailure('unreachable', 'The dashboard server does not answer. The page shows what it knew last.', 0)
  }
  const body = (await response.json().catch(() => undefined)) as T | ApiError | undefined
  silent.value = response.status === 503 ? 'redis' : null
  if (response.ok && body !== undefined) return body as T
  const { code = 'internal', message = `The server answered ${response.status}.` } =
    (body as ApiError | undefined)?.error ?? {}
  throw new ApiFailure(code, message, response.status)
}

/** Reads `api/<path>`. */
export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return call<T>(`api/${path}`, signal ? { signal } : {})
}

/** Posts JSON to `api/<path>`. */
export function post<T>(path: string, body: object = {}): Promise<T> {
  return call<T>(`api/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })
}

/** A path of segments, each encoded. */
export function segments(...parts: string[]): string {
  return parts.map(segment).join('/')
}

/** A path with a query; empty values are left out. */
export function withQuery(path: string, query: Record<string, string | number | null | undefined>): string {
  return path + queryOf(query)
}

/** Freezes a plan; nothing changes. */
export const makePlan = (request: PlanRequest): Promise<Plan> => post('plans', request)

/** Runs a frozen plan. */
export const runPlan = (token: string): Promise<PlanOutcome> => post(`plans/${segments(token)}/run`)

/** Undoes an act or a plan. */
export const undo = (token: string): Promise<UndoOutcome> => post(`undo/${segments(token)}`)

/** Acts on one thing. */
export const act = (path: string, body: object = {}): Promise<ActAnswer> => post(path, body)
