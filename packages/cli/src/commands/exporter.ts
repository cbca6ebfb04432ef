import { Client, createLogger } from '@arq-ts/core'
import { clientOptionsOf, queueNamesOf } from '@arq-ts/core/config'
import type { GlobalArgs } from '../args.ts'
import { CommandError, EXIT } from '../exit.ts'
import { queueMetrics } from '../metrics/queue-metrics.ts'
import { processIo } from '../io.ts'
import { METRICS_HOST, serveMetrics } from '../metrics/server.ts'
import { Output } from '../output.ts'
import { QueueWatch } from '../queue-watch.ts'
import { searchOf } from '../session.ts'
import { addressOf, settingsOf } from '../settings.ts'

const REDIS_WAIT_MS = 2_000

/** `exporter`: metrics of all queues, whichever worker serves them, until a signal. */
export async function exporter(args: GlobalArgs & { port: number; host?: string | undefined }): Promise<number> {
  const loaded = settingsOf(args)
  const out = new Output(args.json === true, args.io)
  const logger = createLogger({ level: 'silent' })
  const client = new Client({ ...clientOptionsOf(loaded.config), logger, commandTimeoutMs: REDIS_WAIT_MS })
  const watch = new QueueWatch(client, searchOf({ io: args.io ?? processIo, queueNames: queueNamesOf(loaded.config) }))
  const registry = queueMetrics(client, () => watch.names())
  let isUp = true
  const source = {
    metrics: async () => {
      const text = await registry.metrics()
      isUp = !/^arq_redis_up 0$/m.test(text)
      return { text, contentType: registry.contentType }
    },
    whyNotAlive: () => null,
    whyNotReady: () => (isUp ? null : 'Redis did not answer the last scrape'),
  }
  const host = args.host ?? process.env.ARQ_TS_METRICS_HOST ?? METRICS_HOST
  try {
    const server = await serveMetrics(source, args.port, host).catch((error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'it is in use' : error.message
      throw new CommandError(`cannot serve metrics on ${host}:${args.port}: ${why}`, EXIT.cannot)
    })
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : args.port
    out.note(`metrics of all queues at ${addressOf(loaded)} on http://${host}:${port}/metrics; Ctrl-C ends`)
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
    })
    server.closeAllConnections()
    server.close()
  } finally {
    await client.close()
  }
  return EXIT.ok
}
