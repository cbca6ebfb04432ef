// The tasks of a worker, with what their handlers need of it.
import { defineTask, implement } from '@arq-ts/core'
import type { JobContext } from '@arq-ts/core'
import { z } from 'zod'
import { resize } from './contracts.js'

export interface Services {
  mail: { send(to: string, text: string): Promise<string> }
}

export const resizeTask = implement(resize, async (_ctx, { path, width }) => ({ path, width, at: new Date(0) }))

export const welcome = defineTask({
  name: 'welcome',
  params: z.object({ to: z.string() }),
  handler: (ctx: JobContext<Services>, { to }) => ctx.mail.send(to, 'Welcome!'),
})
