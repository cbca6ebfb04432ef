// An update of a search index without a pause, and a change of mind: the old collection's deletion is aborted.
import { Client, createLogger, Worker } from '@arq-ts/core'
import { AliasManager, createTasks } from '@arq-ts/qdrant'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const qdrant = process.env.QDRANT_URL ?? 'http://localhost:6333'
const logger = createLogger({ level: 'silent' })
const queueName = 'example:delayed-deletion'

/** Collections as Qdrant's REST interface has them. */
async function collection(method, name, body) {
  const init = { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) }
  return (await fetch(`${qdrant}/collections/${name}`, init)).status
}
const names = ['example-blue', 'example-green', 'example-red']
for (const name of names) await collection('DELETE', name)
await collection('PUT', 'example-blue', { vectors: { size: 4, distance: 'Cosine' } })

const client = new Client({ redis, logger, queueName })
const aliases = new AliasManager({ qdrant: { url: qdrant }, client })
const { tasks } = await createTasks({ url: qdrant }, { redis, keyPrefix: '', folder: '.', queueName, logger })
const worker = new Worker({ redis, logger, queueName, tasks, keepResultMs: 5_000 })
const running = worker.run()

await aliases.createAlias('example-search', 'example-blue')
await aliases.cloneCollectionSchema('example-blue', 'example-green')
await aliases.copyCollectionData('example-blue', 'example-green')
const { oldCollection, deletion } = await aliases.switchAlias('example-search', 'example-green', { deleteOld: true })
console.log('example-search → example-green')
console.log(`deletion of ${oldCollection} in an hour:`, await deletion.status())

// Green finds nothing that blue found: back, and keep blue.
await aliases.switchAlias('example-search', 'example-blue')
console.log('example-search → example-blue, deletion aborted:', await deletion.abort())

// Whoever forgets to abort has lost nothing: the aliases are looked at again before a deletion.
await aliases.cloneCollectionSchema('example-blue', 'example-red')
const forgotten = await aliases.safeDeleteCollection('example-red', 0.05) // three seconds
await aliases.switchAlias('example-search', 'example-red')
const { status, reason } = await forgotten.result()
console.log('example-red:', status, reason)

const last = await aliases.safeDeleteCollection('example-green', 0)
console.log('example-green:', (await last.result()).status)
console.log('example-green is', (await collection('GET', 'example-green')) === 404 ? 'gone' : 'there')

await worker.stop()
await running
await client.close()
for (const name of names) await collection('DELETE', name)
