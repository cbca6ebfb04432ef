import { decodeJob, readable } from '@arq-ts/protocol/jobs'
import type { ResolvedWorkerOptions } from '../../options/worker.ts'
import type { RedisContext } from '../../redis/context.ts'
import type { RegisteredTask } from '../running/registered-task.ts'
import { HandOffService } from './hand-off-service.ts'
import type { HandOffOptions } from './hand-off-service.ts'

type Parts = Omit<HandOffOptions, 'broker' | 'listen' | 'leaseMs' | 'pollDelayMs' | 'mayRunTwice'>

/** The hand-offs to this worker; undefined where they are switched off, or where the worker must choose its jobs itself. */
export function handOffFor(
  settings: ResolvedWorkerOptions,
  link: RedisContext,
  tasks: ReadonlyMap<string, RegisteredTask>,
  parts: Parts,
): HandOffService | undefined {
  const { burst, handOff, leaseMs, maxTries, pollDelayMs, unknownFunction } = settings
  const isWhole = link.parts.length === 1 && !link.connection.isCluster
  if (!handOff || burst || unknownFunction === 'release' || !isWhole) return undefined
  const onceOnly = new Set([...tasks].flatMap(([name, task]) => ((task.maxTries ?? maxTries) === 1 ? name : [])))
  return new HandOffService({
    ...parts,
    broker: link.broker,
    listen: (channel, listener) => link.subscriber.listenToBytes(channel, listener),
    leaseMs,
    pollDelayMs,
    mayRunTwice: (payload) =>
      onceOnly.size === 0 || readable(() => !onceOnly.has(decodeJob(payload, settings).record.functionName)) !== false,
  })
}
