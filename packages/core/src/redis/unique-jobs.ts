import { EXPIRES_EXTRA_MS } from '@arq-ts/protocol/jobs'
import type { Keys } from '@arq-ts/protocol/jobs'
import type { EnqueueCall } from './broker-calls.ts'
import type { Calls } from './calls.ts'
import type { Connection } from './connection.ts'
import { readId } from './id-bytes.ts'
import { runScript } from './scripts.ts'

/** Rules of one unique enqueue, resolved. */
export interface UniqueRules {
  key: string
  /** Until the owner starts, until it ends, or for this many ms. */
  until: 'start' | 'end' | number
  onConflict: 'reject' | 'replace' | 'debounce' | 'throttle'
  quietMs: number
  maxWaitMs: number
}

/** `replaced`: the owner of the key has the newer data. `duplicate`: nothing was stored. */
export interface UniqueOutcome {
  status: 'queued' | 'replaced' | 'duplicate'
  jobId: string
  queueName: string
}

/** Time that a key is kept past the lifetime of its owner's payload, in ms. */
const OUTLIVES_MS = 86_400_000

/** Jobs that have a unique key, by pointers to their owners. */
export class UniqueJobs {
  readonly #connection: Connection
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #expiresExtraMs: number
  readonly #timeoutMs: number

  constructor(
    connection: Connection,
    calls: Calls,
    keys: Keys,
    options: { expiresExtraMs?: number | undefined; timeoutMs: number },
  ) {
    this.#connection = connection
    this.#calls = calls
    this.#keys = keys
    this.#expiresExtraMs = options.expiresExtraMs ?? EXPIRES_EXTRA_MS
    this.#timeoutMs = options.timeoutMs
  }

  /** Enqueues a job under a key. `endedWell` reads a kept result. */
  async enqueue(call: EnqueueCall, rules: UniqueRules, endedWell: (result: Buffer) => boolean): Promise<UniqueOutcome> {
    const keys = this.#keys
    const [known] = (await this.#calls.pipeline([['hmgetBuffer', keys.unique(rules.key), 'id', 'queue']])) as [
      (Buffer | null)[],
    ]
    let owner = ownerOf(known[0], known[1])
    for (;;) {
      const outcome = await this.#try(call, rules, owner, endedWell)
      if (outcome.status !== 'changed') return { ...outcome, status: outcome.status }
      owner = outcome.jobId === '' ? null : outcome
    }
  }

  /** The job that owns a key now; null if there is none, or if its record holds another type of value. */
  async ownerOf(key: string): Promise<string | null> {
    const [id] = await this.#calls.attempt([['hgetBuffer', this.#keys.unique(key), 'id']])
    return id instanceof Buffer ? readId(id) : null
  }

  async #try(
    call: EnqueueCall,
    { key, until, onConflict, quietMs, maxWaitMs }: UniqueRules,
    owner: { jobId: string; queueName: string } | null,
    endedWell: (result: Buffer) => boolean,
  ) {
    const { due, expiresMs, jobId, payload, queueName } = call
    const keys = this.#keys
    const scriptKeys = [keys.unique(key), keys.queue(queueName), keys.job(jobId)]
    let isWell = false
    if (owner) {
      const { jobId: id } = owner
      scriptKeys.push(keys.queue(owner.queueName), keys.job(id), keys.inProgress(id), keys.retry(id), keys.result(id))
      if (typeof until === 'number') {
        const [result] = (await this.#calls.attempt([['getBuffer', keys.result(id)]])) as [unknown]
        isWell = result instanceof Buffer && endedWell(result)
      }
    }
    const [kind, when] = 'at' in due ? ['at', Math.round(due.at)] : ['in', Math.round(due.in)]
    const args = [
      owner?.jobId ?? '',
      jobId,
      queueName,
      until,
      onConflict,
      kind!,
      when!,
      expiresMs ?? this.#expiresExtraMs,
      quietMs,
      maxWaitMs,
      payload,
      keys.wakeChannel(queueName),
      keys.wakeChannel(owner?.queueName ?? queueName),
      OUTLIVES_MS,
      isWell ? 1 : 0,
    ]
    const reply = await this.#connection.run(
      (client, attempt) => runScript(client, 'enqueueUnique', scriptKeys, [...args, attempt > 0 ? 1 : 0]),
      { timeoutMs: this.#timeoutMs },
    )
    const [status, id, queue] = (reply as Buffer[]).map(readId)
    return { status: status as UniqueOutcome['status'] | 'changed', jobId: id!, queueName: queue! }
  }
}

function ownerOf(id: Buffer | null | undefined, queue: Buffer | null | undefined) {
  return id && queue ? { jobId: readId(id), queueName: readId(queue) } : null
}
