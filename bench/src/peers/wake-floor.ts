// No queue at all: a publish, and one round trip by whoever hears it. What a job's pickup takes at the least on this
// machine, where a process that sleeps is woken four times on the way.
import { Redis } from 'ioredis'
import { versionOf } from '../version.ts'
import { playRole } from './harness.ts'

await playRole({
  name: 'ioredis alone',
  version: versionOf('ioredis'),

  async openProducer({ redis, queue }) {
    const client = new Redis(redis)
    await client.ping()
    return { enqueue: ({ arg }) => client.publish(queue, String(arg)), close: () => client.quit() }
  },

  async startWorker({ redis, queue }, handlers) {
    const [client, subscriber] = [new Redis(redis), new Redis(redis)]
    await subscriber.subscribe(queue)
    subscriber.on('message', (_channel, sentUs) => {
      void client.get(queue).then(() => handlers.probe(Number(sentUs)))
    })
    return () => Promise.all([client.quit(), subscriber.quit()])
  },
})
