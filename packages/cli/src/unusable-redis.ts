import { RedisReplyError } from '@arq-ts/core/client'
import { CommandError, EXIT } from './exit.ts'

/** Words of the library about a server that accepts connections only. */
const STANDS_STILL = 'it takes connections and answers nothing'

const NODE = [
  'is a node of a Redis Cluster',
  'Say so in the configuration: `cluster: true`, and a `key_prefix` with a hash tag, such as {orders}:.',
] as const

/** Refusals that may pass, by their first word: the state of the server, and advice. */
const REFUSALS: Readonly<Record<string, readonly [is: string, advice: string]>> = {
  READONLY: ['is a replica, and takes no writes', 'Use the address of its primary: --redis redis://host:6379/1.'],
  MOVED: NODE,
  ASK: NODE,
  TRYAGAIN: ['is moving the slot of these keys to another node', 'Try again when it has moved.'],
  MASTERDOWN: ['is a replica that has lost its primary, and answers nothing', 'Use the address of its primary.'],
  LOADING: ['is still loading its data', 'Try again when it has read them.'],
  OOM: [
    'is full, and takes no writes',
    'Raise `maxmemory`, or remove what is not needed; `arq-ts doctor` and reads work meanwhile.',
  ],
  MISCONF: ['cannot write its data to disk, and takes no writes', 'Look at the disk and the log of the server.'],
  NOREPLICAS: [
    'has fewer replicas than `min-replicas-to-write` asks for, and takes no writes',
    'Look at its replicas: redis-cli INFO replication.',
  ],
  CLUSTERDOWN: [
    'has no node for the slot of these keys, or has lost a majority of its nodes',
    'Look at its nodes: redis-cli CLUSTER NODES.',
  ],
  BUSY: [
    'is at work on a script that does not end',
    'Look at its log; SCRIPT KILL ends a script that has not written.',
  ],
}

/**
 * The end of a command that Redis did not answer, or refused until the time of the command was over. `logged`: what the
 * connection reported last, which names the cause where the failed call does not.
 */
export function unusableRedis(address: string, thrown: Error, logged: Error | undefined): CommandError {
  if (thrown.message.includes(STANDS_STILL)) {
    const advice = 'Look at its log: is it paused, or busy with one long command?'
    return new CommandError(thrown.message, EXIT.cannot, advice)
  }
  const error = reasonFor(thrown, logged)
  const refusal = error instanceof RedisReplyError ? REFUSALS[error.prefix] : undefined
  if (refusal) {
    const [is, advice] = refusal
    return new CommandError(`Redis at ${address} ${is}: ${error.message}`, EXIT.cannot, advice)
  }
  const why = (error as { code?: string }).code === 'ECONNREFUSED' ? 'nothing listens there' : error.message
  return new CommandError(
    `cannot reach Redis at ${address}: ${why}`,
    EXIT.cannot,
    'Start it, or say where it is: --redis redis://host:6379/1, or `redis_url` in the configuration (arq-ts config show).',
  )
}

/** The refusal of this call, else the last report of the connection; that it was closed says less than the call's own words. */
function reasonFor(thrown: Error, logged: Error | undefined): Error {
  if (thrown.cause instanceof RedisReplyError) return thrown.cause
  const isVague = !logged || /^(the connection was|Connection is) closed/.test(logged.message)
  return isVague ? thrown : logged
}
