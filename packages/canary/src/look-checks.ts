/** Checks of a look: questions to the outside, each answered with pass, fail or nothing. */
import { asError } from '@arq-ts/protocol/errors'
import { withoutUndefined } from './config.ts'
import type { CheckOutcome, Deployment, LookCheck } from './types.ts'

/** Context that a check gets. */
export interface CheckContext {
  deploymentId: string
  alias: string
  oldCollection: string
  newCollection: string
  stage: number
  percentage: number
}

/**
 * A check that the worker has as a function: true, false, or a verdict with its reason. An error it throws is no answer.
 *
 * `signal` is aborted when its time is over.
 */
export type CheckFunction = (
  context: CheckContext,
  signal: AbortSignal,
) => boolean | { ok: boolean; reason?: string } | Promise<boolean | { ok: boolean; reason?: string }>

/** Asks all checks of a deployment at once. Never rejects. */
export function askChecks(
  deployment: Deployment,
  percentage: number,
  functions: Readonly<Record<string, CheckFunction>>,
): Promise<CheckOutcome[]> {
  const { alias, currentStage, id, newCollection, oldCollection, rules } = deployment
  const context = { deploymentId: id, alias, oldCollection, newCollection, stage: currentStage, percentage }
  return Promise.all(
    rules.checks.map((check) => {
      const call = Object.hasOwn(functions, check.name) ? functions[check.name] : undefined
      return ask(check, context, call)
    }),
  )
}

async function ask(check: LookCheck, context: CheckContext, call: CheckFunction | undefined): Promise<CheckOutcome> {
  const { name, timeoutMs, url } = check
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    if (url === undefined && !call) throw new Error('this worker has no function of that name')
    const late = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error(`no answer within ${timeoutMs} ms`)), { once: true })
    })
    // A function that throws at once must not leave `late` without a handler: its rejection would end the worker.
    const asked = async () => (url === undefined ? call!(context, signal) : askUrl(url, context, signal))
    const answer = await Promise.race([asked(), late])
    const { ok, reason } = verdictOf(answer)
    return { name, verdict: ok ? 'pass' : 'fail', reason: reason ?? null }
  } catch (error) {
    return { name, verdict: 'unknown', reason: asError(error).message }
  }
}

/** A URL answers 200 with `{ "ok": true }` or `{ "ok": false, "reason": "…" }`. Anything else is no answer. */
async function askUrl(url: string, context: CheckContext, signal: AbortSignal): Promise<unknown> {
  const headers = { 'content-type': 'application/json', accept: 'application/json' }
  const response = await fetch(url, {
    method: 'POST',
    headers,
    body: JSON.stringify(context),
    signal,
    redirect: 'error',
  })
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  return response.json()
}

function verdictOf(answer: unknown): { ok: boolean; reason?: string } {
  if (typeof answer === 'boolean') return { ok: answer }
  const { ok, reason } = (answer ?? {}) as { ok?: unknown; reason?: unknown }
  if (typeof ok !== 'boolean') throw new Error('the answer has no `ok` that is true or false')
  return withoutUndefined({ ok, reason: typeof reason === 'string' ? reason : undefined }) as {
    ok: boolean
    reason?: string
  }
}
