// A job of each second, seen twice. Two workers share the table; each tick runs once.
import { createLogger, cron, Worker } from '@arq-ts/core'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const ticks = []
const enough = Promise.withResolvers?.() ?? withResolvers()

const tick = cron('cron:tick', '* * * * * *', (ctx) => {
  ticks.push(ctx.jobId)
  console.log(`tick ${ticks.length}`)
  if (ticks.length === 2) enough.resolve()
})
const workers = [1, 2].map(() => new Worker({ redis, logger, queueName: 'example:cron', cron: [tick] }))
const running = workers.map((worker) => worker.run())
await enough.promise
for (const worker of workers) await worker.stop()
await Promise.all(running)
console.log(new Set(ticks).size === ticks.length ? 'each tick ran once' : 'a tick ran twice')

function withResolvers() {
  let resolve
  const promise = new Promise((settle) => (resolve = settle))
  return { promise, resolve }
}
