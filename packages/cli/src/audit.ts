import { showId } from '@arq-ts/protocol/jobs'
import { ArqError, RedisUnavailableError } from '@arq-ts/core/client'
import { actorOf } from './session.ts'
import type { Session } from './session.ts'

/** An act of an operator, for the audit log. The words are those that the dashboard writes. */
export interface AuditedAct {
  /** One word: `pause`, `retry`, `remove` … */
  action: string
  /** Kind of the things that it is about, such as `queue` or `job`. */
  kind: string
  /** Names or ids of these things; one name is written down, of several their number. */
  names: readonly string[]
  /** The number of things where the names do not say it. */
  count?: number
  /** Description of the act in one line, without arguments of jobs. Default: the action, the kind and the name. */
  text?: string
}

/**
 * Writes the audit entry, then acts. An entry that cannot be written is reported, and the act is done all the same: acts such
 * as a purge repair a Redis that is full.
 */
export async function audited<T>(
  { client, io, out }: Pick<Session, 'client' | 'io'> & { out: { note(text: string): void } },
  { action, kind, names, count = names.length, text }: AuditedAct,
  act: () => Promise<T>,
): Promise<T> {
  const [name] = names
  const one = names.length === 1 && name !== undefined
  const detail = {
    count,
    text: text ?? `${action} the ${kind} ${one ? `"${showId(name)}"` : `of ${names.length} names`}`,
  }
  const resource = one ? `${kind} ${name}` : `${kind}s`
  try {
    await client.history.writeAudit({ actor: actorOf(io), action, resource, detail })
  } catch (error) {
    if (!(error instanceof ArqError) || error instanceof RedisUnavailableError) throw error
    out.note(`the audit entry could not be written: ${error.message}`)
  }
  return act()
}
