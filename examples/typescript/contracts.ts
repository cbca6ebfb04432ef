// Contracts that producers and workers share: names, parameters, results. No code of handlers.
import { defineContract } from '@arq-ts/core/client'
import { z } from 'zod'

export const resize = defineContract({
  name: 'resize_image',
  params: z.object({ path: z.string(), width: z.number().int().default(800) }),
  returns: z.object({ path: z.string(), width: z.number().int(), at: z.date() }),
})
