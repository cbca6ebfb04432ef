/** Notifications: events of a deployment that are sent to URLs, as jobs of their own that are retried. */
import { createHmac } from 'node:crypto'
import { defineTask } from '@arq-ts/core'
import type { Client, Task } from '@arq-ts/core'
import { z } from 'zod'
import { checkArguments, numberSchema, textSchema } from './arguments.ts'
import { shareOf } from './state.ts'
import type { Decision, Deployment } from './types.ts'

export const NOTIFY_CANARY = 'notify_canary'
const ANSWER_MS = 10_000
/** Tries of a notification: with the pauses between them about a day. */
const MAX_TRIES = 30

export interface NotifyInput {
  url: string
  /** The event as JSON: what is signed and sent, byte for byte. */
  body: string
}

/** The header that carries the signature: `t=<unix seconds>,v1=<hex>`. */
export const SIGNATURE_HEADER = 'arq-canary-signature'

const signedSchema = z.strictObject({
  secret: textSchema,
  timestampS: numberSchema,
  body: z.string('Expected a string'),
})

/** The signature of a body: HMAC-SHA-256 of `<unix seconds>.<body>`, as hex. @throws ArgumentsError */
export function signatureOf(secret: string, timestampS: number, body: string): string {
  checkArguments('signatureOf', signedSchema, { secret, timestampS, body })
  return createHmac('sha256', secret).update(`${timestampS}.${body}`).digest('hex')
}

/** Enqueues what a state has to notify of. Doing it again enqueues nothing new: each event has a job id of its own. */
export async function enqueueNotifications(client: Client, deployment: Deployment): Promise<void> {
  for (const [i, decision] of deployment.outbox.entries()) {
    for (const [n, { on, url }] of deployment.rules.notify.entries()) {
      if (!on.includes(decision.event)) continue
      const body = JSON.stringify(eventOf(deployment, decision))
      const jobId = `${deployment.id}:notify:${deployment.tick}:${i}:${n}`
      await client.enqueue(NOTIFY_CANARY, [], { jobId, kwargs: { url, body } })
    }
  }
}

function eventOf(deployment: Deployment, { atMs, decision, event, stage }: Decision): Record<string, unknown> {
  const { alias, final, id, newCollection, oldCollection, reason, rules, status } = deployment
  return {
    type: event,
    deployment_id: id,
    alias,
    old_collection: oldCollection,
    new_collection: newCollection,
    status,
    stage,
    percentage: shareOf(deployment) ?? 0,
    decision,
    reason,
    dry_run: rules.dryRun,
    metrics: final && { new: final.new, old: final.old },
    timestamp: atMs / 1_000,
  }
}

/** The task that sends one. Without a secret it is sent without a signature. */
export function notifyTask(secret: string | undefined): Task<NotifyInput, { status: number }> {
  return defineTask({
    name: NOTIFY_CANARY,
    params: z.object({ url: z.url({ protocol: /^https?$/ }), body: z.string() }),
    maxTries: MAX_TRIES,
    retry: { delayMs: 1_000, backoff: 'exponential', maxDelayMs: 3_600_000 },
    keepResultMs: 86_400_000,
    handler: async (ctx, { body, url }) => {
      const nowS = Math.floor(Date.now() / 1_000)
      const signed =
        secret === undefined ? {} : { [SIGNATURE_HEADER]: `t=${nowS},v1=${signatureOf(secret, nowS, body)}` }
      const headers = { 'content-type': 'application/json', 'arq-canary-delivery': ctx.jobId, ...signed }
      const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(ANSWER_MS)])
      const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' })
      await response.body?.cancel()
      if (!response.ok) throw new Error(`${new URL(url).origin} answered ${response.status}`)
      return { status: response.status }
    },
  })
}
