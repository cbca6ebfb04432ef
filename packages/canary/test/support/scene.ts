import { Client, createLogger } from '@arq-ts/core'
import { AliasManager } from '@arq-ts/qdrant'
import type { TestQdrant } from '@arq-ts/qdrant/testing'
import { CanaryDeployments } from '../../src/index.ts'

/** An alias in front of the first of three collections, and the object that deploys. */
export interface Scene {
  names: { alias: string; v1: string; v2: string; v3: string }
  aliases: AliasManager
  client: Client
  deployments: CanaryDeployments
  /** Closes connections; collections go with `qdrant.reset()`. */
  close(): Promise<void>
}

/** Sets up collections with a point each on a Qdrant, for deployments whose state is in a Redis. */
export async function openScene(qdrant: TestQdrant, redis: string): Promise<Scene> {
  const [alias, v1, v2, v3] = ['products', 'v1', 'v2', 'v3'].map((name) => qdrant.name(name)) as [
    string,
    string,
    string,
    string,
  ]
  for (const collection of [v1, v2, v3]) {
    await qdrant.client.createCollection(collection, { vectors: { size: 2, distance: 'Cosine' } })
    await qdrant.client.upsert(collection, { wait: true, points: [{ id: 1, vector: [1, 1] }] })
  }
  const aliases = new AliasManager({ qdrant: qdrant.client })
  await aliases.createAlias(alias, v1)
  const client = new Client({ redis, logger: createLogger({ level: 'silent' }), commandTimeoutMs: 20_000 })
  const deployments = new CanaryDeployments({ client, redis, aliases })
  const close = async () => {
    await deployments.close()
    await client.close()
  }
  return { names: { alias, v1, v2, v3 }, aliases, client, deployments, close }
}
