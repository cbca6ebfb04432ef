/**
 * A Qdrant for tests, of this package and of those that build on it: `QDRANT_URL` where it is set, else a container
 * where Docker has the image, else Qdrant's own in-memory engine for Python. The same tests run against each.
 */
import { randomBytes } from 'node:crypto'
import { eventually, whyNoPython } from '@arq-ts/test-support'
import { QdrantClient } from '@qdrant/js-client-rest'
import { hasImage, startContainer, startPythonEngine } from './engines.ts'
import type { Engine } from './engines.ts'
import { FaultProxy } from './fault-proxy.ts'

export { FaultProxy } from './fault-proxy.ts'
export type { ActiveFault, Fault } from './fault-proxy.ts'

/** A Qdrant of a test, reached through a proxy that makes calls fail on demand. */
export interface TestQdrant {
  /** Address of the proxy: what the code under test is given. */
  url: string
  /** The engine that answers, in words. */
  engine: string
  /** Past the proxy: for setting up and looking, untouched by faults. */
  client: QdrantClient
  faults: FaultProxy
  /** The same Qdrant by a proxy of its own, with its own faults and names: for tests that run at the same time. */
  apart(): Promise<TestQdrant>
  /** A name that no other test has, for a collection or an alias. */
  name(base: string): string
  /** Switches faults off and removes the collections and aliases that `name` has named. */
  reset(): Promise<void>
  stop(): Promise<void>
}

/** Reason why there can be no Qdrant here, or undefined where there can. */
export async function whyNoQdrant(): Promise<string | undefined> {
  if (process.env.QDRANT_URL || (await hasImage())) return undefined
  return whyNoPython()
}

/** Starts one and prints what it is. */
export async function startQdrant(): Promise<TestQdrant> {
  const engine = await startEngine()
  await eventually(async () => (await fetch(`${engine.url}/readyz`)).ok, { timeoutMs: 30_000 })
  console.log(`Qdrant: ${engine.engine}`)
  return reach(engine, () => engine.stop())
}

async function reach(engine: Engine, stopEngine: () => Promise<void>): Promise<TestQdrant> {
  const faults = await FaultProxy.start(engine.url)
  const client = new QdrantClient({ url: engine.url, checkCompatibility: false })
  const prefix = `t${randomBytes(4).toString('hex')}-`

  const reset = async () => {
    faults.clear()
    const { collections } = await client.getCollections()
    for (const { name } of collections) if (name.startsWith(prefix)) await client.deleteCollection(name)
  }
  return {
    url: faults.url,
    engine: engine.engine,
    client,
    faults,
    apart: () => reach(engine, async () => {}),
    name: (base) => `${prefix}${base}`,
    reset,
    stop: async () => {
      await reset()
      await faults.stop()
      await stopEngine()
    },
  }
}

async function startEngine(): Promise<Engine> {
  const url = process.env.QDRANT_URL
  if (url) return { url, engine: 'the server at QDRANT_URL', stop: async () => {} }
  return (await hasImage()) ? startContainer() : startPythonEngine()
}
