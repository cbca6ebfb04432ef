import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestQdrant } from '@arq-ts/qdrant/testing'
import { Child, eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { expect } from 'vitest'
import { CanaryRouter } from '../../src/index.ts'
import type { CanaryDeployments, DeploymentReport } from '../../src/index.ts'
import { quick } from './harness.ts'
import { openScene } from './scene.ts'
import type { Scene } from './scene.ts'

const script = fileURLToPath(new URL('../e2e/fixtures/worker.mjs', import.meta.url))

/** Several processes start at the same time. */
export const PATIENT = { timeoutMs: 60_000 }
/** Pause between two searches. */
const PAUSE_MS = 8

/** The place at which a worker stops for good: before or after the nth command to Redis that fits the pattern. */
export type Hang = { call: string; when: 'before' | 'after'; nth?: number }

/** A deployment under traffic, on a Redis and by a way to Qdrant of its own, with workers that a drill kills. */
export class Drill {
  readonly server: RedisServer
  readonly qdrant: TestQdrant
  readonly scene: Scene
  readonly router: CanaryRouter
  /** The worker that takes over is there already, and begins on a line of input. */
  readonly standby: Child
  /** Searches of the new collection: how they end, how many were sent for counting, and how many were surely counted. */
  readonly searches = { areFailing: false, sent: 0, counted: 0 }
  readonly #redis: Redis
  readonly #children: Child[] = []
  readonly #traffic: Promise<void>
  readonly #stopping = new AbortController()

  private constructor(server: RedisServer, qdrant: TestQdrant, scene: Scene) {
    this.server = server
    this.qdrant = qdrant
    this.scene = scene
    this.router = new CanaryRouter({ redis: server.url })
    this.#redis = new Redis(server.url)
    this.#redis.on('error', () => {})
    this.standby = this.spawn({ isStandby: true })
    this.#traffic = this.#search()
  }

  static async open(shared: TestQdrant): Promise<Drill> {
    const [server, qdrant] = await Promise.all([RedisServer.start({ persistent: true }), shared.apart()])
    return new Drill(server, qdrant, await openScene(qdrant, server.url))
  }

  get deployments(): CanaryDeployments {
    return this.scene.deployments
  }

  spawn(settings: { hang?: Hang; isStandby?: boolean }): Child {
    const given = JSON.stringify({ redis: this.server.url, qdrant: this.qdrant.url, ...settings })
    const child = new Child(process.execPath, [script, given], { stdin: true })
    this.#children.push(child)
    return child
  }

  async startWorker(hang?: Hang): Promise<Child> {
    const child = this.spawn(hang ? { hang } : {})
    await child.line(/^event started/, PATIENT)
    return child
  }

  /** Kills a worker, and has the one that waited begin. */
  async replace(doomed: Child): Promise<void> {
    await this.standby.line(/^event ready/, PATIENT)
    doomed.kill('SIGKILL')
    await doomed.exited
    this.standby.write('begin')
  }

  /** Drills are about what is done, not about what is judged: a stage in which too little was seen is passed. */
  start(stages = quick([20, 0.3], [60, 0.3], [100, 0])): Promise<string> {
    const { alias, v2 } = this.scene.names
    return this.deployments.startCanary(alias, v2, { stages, minSamples: 1, inconclusive: 'proceed' })
  }

  async reached(id: string, status: DeploymentReport['status']): Promise<DeploymentReport> {
    return eventually(
      async () => {
        const report = await this.deployments.status(id)
        if (report?.status !== status) throw new Error(`the deployment is ${JSON.stringify(report)}`)
        return report
      },
      { timeoutMs: 45_000 },
    )
  }

  /** Checks the end, however it came about. */
  async expectEnd(id: string, end: 'deployment_completed' | 'deployment_failed'): Promise<void> {
    const { alias, v1, v2 } = this.scene.names
    expect(await this.scene.aliases.getCollectionForAlias(alias)).toBe(end === 'deployment_completed' ? v2 : v1)
    expect(await this.router.getRoute(alias)).toBeNull()
    const events = (await this.#redis.xrange('deployment:events', '-', '+')).map(
      ([, fields]) => fields[fields.indexOf('type') + 1],
    )
    expect(events).toEqual(['deployment_started', end])
    expect((await this.deployments.history()).map((each) => each.id)).toEqual([id])
  }

  async stopTraffic(): Promise<void> {
    this.#stopping.abort()
    await this.#traffic
  }

  async close(): Promise<void> {
    await this.stopTraffic()
    for (const child of this.#children) {
      child.kill('SIGKILL')
      await child.exited
    }
    await this.router.close()
    await this.scene.close()
    this.#redis.disconnect()
    await this.qdrant.stop()
    await this.server.stop()
  }

  async #search(): Promise<void> {
    const { alias, v2 } = this.scene.names
    for (let i = 0; !this.#stopping.signal.aborted; i++) {
      const { collection, deploymentId } =
        (await this.router.route(alias, { requestId: `r${i}` }).catch(() => {})) ?? {}
      if (deploymentId && collection) await this.#record(deploymentId, collection, collection === v2)
      await sleep(PAUSE_MS)
    }
  }

  async #record(deploymentId: string, collection: string, isNew: boolean): Promise<void> {
    if (isNew) this.searches.sent++
    const outcome = { deploymentId, collection, latencyMs: 5, isError: isNew && this.searches.areFailing }
    await this.router.record(outcome).then(
      () => isNew && this.searches.counted++,
      () => {}, // Redis is away: the search may have been counted
    )
  }
}
