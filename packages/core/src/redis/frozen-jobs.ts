import { RETRY_COUNTER_TTL_S } from '@arq-ts/protocol/jobs'
import type { Keys } from '@arq-ts/protocol/jobs'
import type { Calls } from './calls.ts'
import { runScript } from './scripts.ts'
import type { ScriptReply } from './scripts.ts'

const PAGE = 200

/** Everything that Redis kept of a job that was taken out; bytes in base64, so that it can be stored as JSON. */
export interface JobRemains {
  jobId: string
  score: string | null
  payload: string | null
  payloadMs: number
  tries: string | null
  result: string | null
  resultMs: number
  deadScore: string | null
  letterMs: number
  /** Fields and values of the dead letter, in turn. */
  letter: string[]
}

/** One outcome of an act on a job as it was seen. */
export type FrozenOutcome = 'done' | 'changed' | 'running'

/** Acts on jobs while they are as they were seen, each at one moment, and their reversal. */
export class FrozenJobs {
  readonly #calls: Calls
  readonly #keys: Keys

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls
    this.#keys = keys
  }

  /** Takes out (`take`), removes (`drop`) or reads (`peek`) jobs of one queue that are still where they were seen. */
  async take(
    queueName: string,
    jobs: readonly { jobId: string; seen: string }[],
    mode: 'take' | 'drop' | 'peek',
  ): Promise<{ outcome: FrozenOutcome; remains: JobRemains | null }[]> {
    const keys = this.#keys
    const results: { outcome: FrozenOutcome; remains: JobRemains | null }[] = []
    for (let from = 0; from < jobs.length; from += PAGE) {
      const page = jobs.slice(from, from + PAGE)
      const names = [keys.queue(queueName), keys.reserved(queueName), keys.abort, keys.dead]
      for (const { jobId: id } of page) {
        names.push(keys.inProgress(id), keys.job(id), keys.retry(id))
        names.push(keys.result(id), keys.deadLetter(id), keys.trace(id), keys.lastError(id))
      }
      const args = [mode, ...page.flatMap(({ jobId, seen }) => [jobId, seen])]
      const replies = await this.#calls.run((client) => runScript(client, 'takeOut', names, args))
      for (const [i, reply] of replies.entries()) {
        const remains = Array.isArray(reply) ? remainsOf(page[i]!.jobId, reply) : null
        results.push({ outcome: remains || reply === 1 ? 'done' : reply === 2 ? 'running' : 'changed', remains })
      }
    }
    return results
  }

  /** Puts a job back; false when its id is in use again. */
  async putBack(queueName: string, remains: JobRemains): Promise<boolean> {
    const keys = this.#keys
    const { jobId: id } = remains
    const names = [keys.queue(queueName), keys.dead, keys.inProgress(id), keys.job(id), keys.retry(id)]
    names.push(keys.result(id), keys.deadLetter(id))
    const bytes = (text: string | null) => (text === null ? '' : Buffer.from(text, 'base64'))
    const args = [
      id,
      keys.wakeChannel(queueName),
      remains.score ?? '',
      bytes(remains.payload),
      remains.payloadMs,
      bytes(remains.tries),
      RETRY_COUNTER_TTL_S * 1_000,
      bytes(remains.result),
      remains.resultMs,
      remains.deadScore ?? '',
      remains.letterMs,
      ...remains.letter.map(bytes),
    ]
    const [reply] = await this.#calls.run((client) => runScript(client, 'putBack', names, args))
    return reply === 1
  }

  /** Gives waiting jobs another score while they have the one that was seen. */
  async reschedule(
    queueName: string,
    jobs: readonly { jobId: string; from: string; to: string }[],
  ): Promise<FrozenOutcome[]> {
    const keys = this.#keys
    const outcomes: FrozenOutcome[] = []
    for (let from = 0; from < jobs.length; from += PAGE) {
      const page = jobs.slice(from, from + PAGE)
      const names = [keys.queue(queueName), keys.reserved(queueName)]
      names.push(...page.map(({ jobId }) => keys.inProgress(jobId)))
      const args = [keys.wakeChannel(queueName), ...page.flatMap((job) => [job.jobId, job.from, job.to])]
      const replies = await this.#calls.run((client) => runScript(client, 'rescore', names, args))
      for (const reply of replies) outcomes.push(reply === 1 ? 'done' : reply === 2 ? 'running' : 'changed')
    }
    return outcomes
  }
}

function remainsOf(jobId: string, reply: readonly ScriptReply[]): JobRemains {
  const [score, payload, payloadMs, tries, result, resultMs, deadScore, letterMs, letter] = reply
  const text = (value: ScriptReply | undefined) => (Buffer.isBuffer(value) ? value.toString() : null)
  const base64 = (value: ScriptReply | undefined) => (Buffer.isBuffer(value) ? value.toString('base64') : null)
  return {
    jobId,
    score: text(score),
    payload: base64(payload),
    payloadMs: Number(payloadMs),
    tries: base64(tries),
    result: base64(result),
    resultMs: Number(resultMs),
    deadScore: text(deadScore),
    letterMs: Number(letterMs),
    letter: (letter as Buffer[]).map((part) => part.toString('base64')),
  }
}
