// A function that enqueues. It imports a contract, so that no worker's code is in its bundle.
import { Client, createLogger, defineContract } from '@arq-ts/core'
import { z } from 'zod'

const resize = defineContract({ name: 'resize_image', params: z.object({ path: z.string() }) })

// Outside of the handler: a warm start finds the connection open.
const client = new Client({
  redis: process.env.REDIS_URL ?? 'redis://localhost:6379',
  queueName: 'example:lambda',
  logger: createLogger({ level: 'warn' }),
  commandTimeoutMs: 5_000, // below the function's own timeout, so that the caller learns why
})

export async function handler(event) {
  // The same id for a repeated event: it is queued once.
  const job = await client.enqueue(resize, { path: event.path }, { jobId: event.requestId })
  return { statusCode: job ? 202 : 200, body: JSON.stringify({ jobId: event.requestId, isNew: job !== null }) }
}

/** For runtimes that say when they end. */
export const shutdown = () => client.close()
