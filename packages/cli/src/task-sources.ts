import { Client } from '@arq-ts/core/client'
import { clientOptionsOf, queueNamesOf, redisOptionsOf } from '@arq-ts/core/config'
import type { Deletions, Deployments, TaskSources, WriteBehindCache } from '@arq-ts/dashboard'
import { CommandError } from './exit.ts'
import { loadPackage } from './load-package.ts'
import { silentLogger } from './silent-logger.ts'
import type { LoadedConfig } from '@arq-ts/core/config'

interface Place {
  client: Client
  redis: unknown
  keyPrefix: string
}
interface CanaryModule {
  createDeployments: (options: unknown, place: Place) => Deployments & { close(): Promise<void> }
}
interface WriteBehindModule {
  WriteBehind: new (place: Place) => WriteBehindCache & { close(): Promise<void> }
}
interface QdrantModule {
  ScheduledDeletions: new (options: { client: Client; queueNames: readonly string[] }) => Deletions
}

/** The task packages that are installed here, over a client of their own. */
export interface OpenTaskSources {
  sources: TaskSources
  close(): Promise<void>
}

/** Opens the task packages that are installed; the others are left out. @throws OptionsError for a wrong configuration */
export async function openTaskSources({ config, file }: LoadedConfig): Promise<OpenTaskSources> {
  const optional = async <T>(name: string): Promise<T | null> => {
    try {
      return await loadPackage<T>(name, 'dashboard', file)
    } catch (error) {
      if (error instanceof CommandError) return null
      throw error
    }
  }
  const client = new Client({ ...clientOptionsOf(config), logger: silentLogger() })
  const place = { client, redis: redisOptionsOf(config), keyPrefix: config.key_prefix }
  const [canary, writeBehind, qdrant] = await Promise.all([
    optional<CanaryModule>('@arq-ts/canary'),
    optional<WriteBehindModule>('@arq-ts/write-behind'),
    optional<QdrantModule>('@arq-ts/qdrant'),
  ])
  const entry = config.tasks.find((each) => typeof each === 'object' && each.use === '@arq-ts/canary')
  const deployments = canary?.createDeployments(typeof entry === 'object' ? entry.with : undefined, place)
  const cache = writeBehind && new writeBehind.WriteBehind(place)
  const deletions = qdrant && new qdrant.ScheduledDeletions({ client, queueNames: queueNamesOf(config) })
  return {
    sources: { deployments, cache: cache ?? undefined, deletions: deletions ?? undefined },
    async close() {
      await Promise.all([deployments?.close(), cache?.close()])
      await client.close()
    },
  }
}
