// A report of three parts: fetched at a time, merged, mailed; an alert where a part fails. Then the failed part again.
import { Client, createLogger, defineTask, flow, Worker } from '@arq-ts/core'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'silent' })
let isBroken = true

const fetchPart = defineTask({
  name: 'fetch_part',
  handler: (_ctx, id) => {
    if (id === 'c' && isBroken) throw new Error(`no answer from ${id}`)
    return id.toUpperCase()
  },
})
const merge = defineTask({ name: 'merge', handler: (_ctx, parts) => parts.join('+') })
const mail = defineTask({ name: 'mail', handler: (_ctx, body) => `mailed ${body}` })
const alert = defineTask({ name: 'alert', handler: () => console.log('alert: the report failed') })

const worker = new Worker({ redis, logger, queueName: 'example:flows', tasks: [fetchPart, merge, mail, alert] })
const running = worker.run()
const client = new Client({ redis, logger, queueName: 'example:flows' })

const f = flow('report')
const parts = f.all(['a', 'b', 'c'].map((id) => f.call(fetchPart, [id])))
const merged = f.call(merge, [parts])
f.call(mail, [merged])
f.call(alert, [], { after: merged, on: 'failure' })

const run = await client.start(f)
await run.result().catch((error) => console.log(error.members.map(({ name, error: why }) => `${name}: ${why}`).join()))
for (const { name, state } of (await run.status()).members) console.log(`${name} ${state}`)

isBroken = false
await run.replay({ only: 'failed' })
console.log(await run.result())

await worker.stop()
await running
await client.close()
