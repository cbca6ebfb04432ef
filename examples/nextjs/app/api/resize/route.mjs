// A route handler of Next.js. It imports a contract alone: the worker's code stays out of the application.
import { ArgumentsError, Client, createLogger, defineContract } from '@arq-ts/core'
import { z } from 'zod'

export const runtime = 'nodejs' // the edge runtime has no sockets

const resize = defineContract({ name: 'resize_image', params: z.object({ path: z.string() }) })

// On globalThis: in development each change loads this module anew, and each would open a connection.
const client = (globalThis.arqClient ??= new Client({
  redis: process.env.REDIS_URL ?? 'redis://localhost:6379',
  queueName: 'example:nextjs',
  logger: createLogger({ level: 'warn' }),
}))

export async function POST(request) {
  try {
    const job = await client.enqueue(resize, await request.json())
    return Response.json({ jobId: job.jobId }, { status: 202 })
  } catch (error) {
    if (error instanceof ArgumentsError) return Response.json({ error: error.message }, { status: 400 })
    throw error
  }
}

export async function GET(request) {
  const jobId = new URL(request.url).searchParams.get('jobId')
  return Response.json({ status: await client.job(jobId).status() })
}
