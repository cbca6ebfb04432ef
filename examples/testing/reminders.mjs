// The code under test: a task, and a service that enqueues it.
import { cron, defineTask } from '@arq-ts/core'
import { z } from 'zod'

export const remind = defineTask({
  name: 'remind',
  params: z.object({ user: z.string(), channel: z.enum(['mail', 'sms']).default('mail') }),
  maxTries: 3,
  retry: { delayMs: 60_000, backoff: 'fixed' },
  handler: (ctx, { user, channel }) => ctx.mail.send(user, channel),
})

export const digest = cron('cron:digest', { hour: 8, minute: 0 }, (ctx) => ctx.mail.send('all', 'digest'), {
  timeZone: 'Europe/Berlin',
})

/** A new user is reminded a day later. */
export async function signUp(client, user) {
  await client.enqueue(remind, { user }, { deferByMs: 86_400_000 })
}
