import { Keys } from '@arq-ts/protocol/jobs'
import type { Placement } from './placement.ts'

/** Keys of one partition; announcements to workers, which serve all partitions, use the channels of the namespace. */
export class PartitionKeys extends Keys {
  readonly #namespace: Keys
  readonly #database: number

  constructor(prefix: string, database: number, namespace: Keys) {
    super(prefix, database)
    this.#database = database
    this.#namespace = namespace
  }

  override get flowsChannel(): string {
    return this.#namespace.flowsChannel
  }
  override get scheduleChannel(): string {
    return this.#namespace.scheduleChannel
  }
  override get endsChannel(): string {
    return `${this.prefix}arq:ended@${this.#database}`
  }
}

/** Keys of a partitioned namespace: keys of a job or a flow in its partition, all others in the first partition. */
export class PartitionedKeys extends Keys {
  readonly #placement: Placement
  readonly #parts: readonly Keys[]

  constructor(placement: Placement, database: number) {
    super(placement.prefixes[0], database)
    this.#placement = placement
    this.#parts = placement.prefixes.map((prefix) => new Keys(prefix, database))
  }

  override job(jobId: string): string {
    return this.#of(jobId).job(jobId)
  }
  override inProgress(jobId: string): string {
    return this.#of(jobId).inProgress(jobId)
  }
  override retry(jobId: string): string {
    return this.#of(jobId).retry(jobId)
  }
  override result(jobId: string): string {
    return this.#of(jobId).result(jobId)
  }
  override trace(jobId: string): string {
    return this.#of(jobId).trace(jobId)
  }
  override deadLetter(jobId: string): string {
    return this.#of(jobId).deadLetter(jobId)
  }
  override lastError(jobId: string): string {
    return this.#of(jobId).lastError(jobId)
  }
  override unique(key: string): string {
    return this.#of(key).unique(key)
  }
  override flow(flowId: string): string {
    return this.#of(flowId).flow(flowId)
  }
  override flowChannel(flowId: string): string {
    return this.#of(flowId).flowChannel(flowId)
  }

  #of(id: string): Keys {
    return this.#parts[this.#placement.of(id)]!
  }
}
