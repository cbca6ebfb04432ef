import { RedisReplyError } from '@arq-ts/core/client'
import { CommandError, EXIT } from './exit.ts'

/** Refusals that may pass, by their first word: the state of the server, and advice. */
const REFUSALS: Readonly<Record<string, readonly [is: string, advice: string]>> = {
  READONLY: ['is a replica, and takes no writes', 'Use the address of its primary: --redis redis://host:6379/1.'],
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
 * connection reported last, which names the cause where a failed call does not.
 */
export function unusableRedis(address: string, thrown: Error, logged: Error | undefined): CommandError {
  const error = logged && !/^(the connection was|Connection is) closed/.test(logged.message) ? logged : thrown
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
