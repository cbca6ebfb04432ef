// Compiles only with its comments: TypeScript reports each error at the wrong value.
import { Worker } from '@arq-ts/core'
import type { Client } from '@arq-ts/core/client'
import { resize } from './contracts.js'
import { welcome } from './tasks.js'

export const refused = async (client: Client) => [
  await client.enqueue(resize, {
    // @ts-expect-error -- a number where a string is due
    path: 1,
  }),
  await client.enqueue(resize, {
    path: 'a.png',
    // @ts-expect-error -- a parameter that the contract does not have
    height: 600,
  }),
  // @ts-expect-error -- an option that there is not
  await client.enqueue(resize, { path: 'a.png' }, { defer: 5 }),
  // @ts-expect-error -- a worker that lacks what the handler needs of its context
  new Worker({ tasks: [welcome] }),
]
