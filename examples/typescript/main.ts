// A producer and a worker in TypeScript; compiles as an ES module and as CommonJS.
import { createLogger, Worker } from '@arq-ts/core'
import { Client } from '@arq-ts/core/client'
import { resize } from './contracts.js'
import { resizeTask, welcome } from './tasks.js'

const redis = process.env['REDIS_URL'] ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const queueName = 'example:typescript'

async function main(): Promise<void> {
  const client = new Client({ redis, logger, queueName })
  const resizing = await client.enqueue(resize, { path: 'a.png' })
  const greeting = await client.enqueue(welcome, { to: 'ann' })

  const mail = { send: async (to: string, text: string) => `to ${to}: ${text}` }
  const options = { redis, logger, queueName, burst: true, keepResultMs: 5_000 }
  await new Worker({ ...options, tasks: [resizeTask, welcome], ctx: { mail } }).run()

  const { path, width, at } = await resizing!.result() // typed by the contract
  console.log(`${path} at ${width} px, ${at.getUTCFullYear()}`)
  console.log(await greeting!.result())
  await client.close()
}

void main()
