import { Redis } from 'ioredis'
import { eventually } from './eventually.ts'
import { RedisServer } from './redis-server.ts'

/** A primary and a replica of it, which takes no writes. */
export class ReplicatedRedis {
  readonly primary: RedisServer
  readonly replica: RedisServer
  /** Connections of the test, to either. */
  readonly admins: { readonly primary: Redis; readonly replica: Redis }

  private constructor(primary: RedisServer, replica: RedisServer) {
    this.primary = primary
    this.replica = replica
    this.admins = { primary: new Redis(primary.url), replica: new Redis(replica.url) }
  }

  static async start(): Promise<ReplicatedRedis> {
    const primary = await RedisServer.start()
    const replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(primary.port)] })
    return new ReplicatedRedis(primary, replica)
  }

  /** Waits until the replica has everything that was written so far. */
  async inStep(): Promise<void> {
    const field = async (admin: Redis, name: string) =>
      Number(new RegExp(`${name}:(\\d+)`).exec(await admin.info('replication'))?.[1] ?? -1)
    const { primary, replica } = this.admins
    const written = await field(primary, 'master_repl_offset')
    await eventually(
      async () =>
        (await replica.info('replication')).includes('master_link_status:up') &&
        (await field(replica, 'slave_repl_offset')) >= written,
      { timeoutMs: 60_000 },
    )
  }

  /** The number of writes that the replica has refused. */
  async refusedWrites(): Promise<number> {
    return Number(/errorstat_READONLY:count=(\d+)/.exec(await this.admins.replica.info('errorstats'))?.[1] ?? 0)
  }

  async stop(): Promise<void> {
    for (const admin of Object.values(this.admins)) admin.disconnect()
    await this.replica.stop()
    await this.primary.stop()
  }
}
