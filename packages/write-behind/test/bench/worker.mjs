// The worker of a round, in a process of its own. Argument: { url, postgres, maxJobs, batch }.
import { createLogger, Worker } from '@arq-ts/core'
import { persistCache, postgresPersister } from '@arq-ts/write-behind'
import pg from 'pg'

const { batch, maxJobs, postgres, url } = JSON.parse(process.argv[2])
const pool = new pg.Pool({ connectionString: postgres, max: maxJobs })
const insert = postgresPersister({ client: pool, table: 'entries' })
// A plain function has no `persistMany`: each key is an INSERT of its own, as before there were batches.
const save = batch ? insert : (key, value, write) => insert(key, value, write)
const worker = new Worker({
  redis: url,
  logger: createLogger({ level: 'warn' }),
  maxJobs,
  ...persistCache({ redis: url, persisters: { app: { save } } }),
})
let before = process.cpuUsage()
process.on('SIGUSR2', () => {
  before = process.cpuUsage()
  console.log('counting')
})
worker.on('started', () => console.log('started'))
await worker.run()
const { system, user } = process.cpuUsage(before)
console.log(`cpu ${(system + user) / 1_000}`)
await pool.end()
