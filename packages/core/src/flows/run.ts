import { familiesOf } from '@arq-ts/protocol/flows'
import type { FlowCondition, FlowState, MemberOutcome } from '@arq-ts/protocol/flows'
import { decodeResult, readable } from '@arq-ts/protocol/jobs'
import { FlowError, FlowFailedError, OptionsError, TimeoutError } from '../errors.ts'
import { toJobResult } from '../jobs/job.ts'
import type { JobResult, WaitOptions } from '../jobs/job.ts'
import { describeError } from '../logging/log-lines.ts'
import { checkMethodOptions, checkWait } from '../options/arguments.ts'
import type { RedisContext } from '../redis/context.ts'
import { Deadline } from '../time/deadline.ts'
import { memberJobId } from './definition.ts'
import type { FlowSnapshot } from './definition.ts'
import { FlowDriver } from './driver.ts'
import { replaySchema } from './flow-options.ts'
import { FlowMember } from './handles.ts'

/** Pace of asking for a flow's end without an announcement, in ms. */
const POLL_MS = 500

/**
 * State of a member. `held`: it waits for others. `ready`: it is about to be handed out. `queued`, `running`: workers have it.
 * Else how it ended.
 */
export type FlowMemberState = 'held' | 'ready' | 'queued' | 'running' | MemberOutcome

/** A member of a flow as it stands. */
export interface FlowMemberStatus {
  /** Its name in the graph. */
  name: string
  functionName: string
  jobId: string
  queueName: string
  state: FlowMemberState
  on: FlowCondition
  /** Names of the members before it. */
  after: string[]
  /** Names of those before it that have not ended. */
  waitsFor: string[]
  /** The name of the member that added it while it ran; null for one that was there from the start. */
  addedBy: string | null
  /** Reason for its failure, in one line; null where it did not fail, or nobody knows. */
  error: string | null
}

/** A flow as it stands. */
export interface FlowStatus {
  flowId: string
  name: string
  state: FlowState
  /** Time of its first start, by Redis's clock. */
  startedAt: Date
  /** Time of its end; null before. */
  endedAt: Date | null
  onUnknown: 'fail' | 'succeed'
  members: FlowMemberStatus[]
}

/** One run of a flow. */
export class FlowRun {
  /** Its id, by which `client.flows.get` finds it again. */
  readonly flowId: string
  readonly #link: RedisContext
  readonly #driver: FlowDriver

  /** @internal Use `client.start` or `client.flows.get`. */
  constructor(flowId: string, link: RedisContext) {
    this.flowId = flowId
    this.#link = link
    this.#driver = new FlowDriver(link)
  }

  /**
   * Waits for the end of the flow; gives the result of its last member: the one that none comes after. Where several come
   * last, an object of the results of those that succeeded, by their names.
   *
   * @throws FlowFailedError where it ended otherwise than well; FlowError where there is no such flow; TimeoutError.
   */
  async result(options: WaitOptions = {}): Promise<unknown> {
    checkWait('flow.result', options)
    const snapshot = await this.#end(options)
    if (snapshot.state !== 'complete') throw await this.#failure(snapshot)
    const before = new Set([...snapshot.members.values()].flatMap(({ after }) => after))
    const last = [...snapshot.members.keys()].filter((key) => !before.has(key) && !key.includes('.'))
    const done = last.filter((key) => snapshot.ends.get(key) === 'success')
    const results = await this.#results(done)
    if (done.length === 1) return results[0]
    return Object.fromEntries(done.map((key, i) => [snapshot.members.get(key)!.definition.name, results[i]]))
  }

  /**
   * Waits for the end of the flow; gives the result of one of its members, as it is on the wire. It is kept with the flow
   * where another member takes it or where none comes after it, else while its worker keeps results.
   *
   * @throws FlowFailedError where that member did not succeed; FlowError; TimeoutError.
   */
  async resultOf<Result>(member: FlowMember<Result>, options: WaitOptions = {}): Promise<Result> {
    checkWait('flow.resultOf', options)
    if (!(member instanceof FlowMember))
      throw new OptionsError('flow.resultOf: expected a member of the flow, as `call` returns it')
    const snapshot = await this.#end(options)
    if (!snapshot.members.has(member.key)) throw new FlowError(`flow '${this.flowId}' has no member '${member.name}'`)
    if (snapshot.ends.get(member.key) !== 'success') throw await this.#failure(snapshot)
    return (await this.#results([member.key]))[0] as Result
  }

  /**
   * Its graph, and where each member is.
   *
   * @throws FlowError where there is no such flow.
   */
  async status(): Promise<FlowStatus> {
    const snapshot = await this.#snapshot()
    const { endedMs, ends, members, name, onUnknown, open, out, startedMs, state, todo } = snapshot
    const running = await this.#link.flowRecords.running([...out].map((key) => memberJobId(this.flowId, key)))
    const isRunning = new Set([...out].filter((_, i) => running[i]))
    const failed = [...ends].filter(([, outcome]) => outcome === 'failure').map(([key]) => key)
    const errors = new Map((await this.#errors(failed)).map((error, i) => [failed[i]!, error]))
    const families = familiesOf(open)
    const nameOf = (key: string) => members.get(key)?.definition.name ?? key
    const stateOf = (key: string): FlowMemberState => {
      const outcome = ends.get(key)
      if (outcome !== undefined) return outcome
      if (out.has(key)) return isRunning.has(key) ? 'running' : 'queued'
      return todo.has(key) && !todo.get(key)!.startsWith('hold') ? 'ready' : 'held'
    }
    return {
      flowId: this.flowId,
      name,
      state: state as FlowState,
      startedAt: new Date(startedMs),
      endedAt: endedMs === null ? null : new Date(endedMs),
      onUnknown,
      members: [...members].map(([key, { after, definition, on, reason }]) => ({
        name: definition.name,
        functionName: definition.functionName,
        jobId: memberJobId(this.flowId, key),
        queueName: definition.queueName,
        state: stateOf(key),
        on,
        after: after.map(nameOf),
        waitsFor: ends.has(key) ? [] : after.flatMap((parent) => families.get(parent) ?? []).map(nameOf),
        addedBy: key.includes('.') ? nameOf(key.slice(0, key.lastIndexOf('.'))) : null,
        error: reason ?? errors.get(key) ?? null,
      })),
    }
  }

  /**
   * Cancels it: what waits leaves its queue, what runs is asked to abort (workers with `allowAbortJobs` do), and nothing more
   * of it starts. False where it has ended.
   *
   * @throws FlowError where there is no such flow.
   */
  async cancel(): Promise<boolean> {
    const state = await this.#driver.cancel(this.flowId)
    if (state === null) throw this.#missing()
    return state === 'cancelling' || state === 'cancelled'
  }

  /**
   * Runs it again, once it has ended: all of it, or `only: 'failed'`: what did not succeed, and what comes after that.
   *
   * @throws FlowError where there is no such flow, where it has not ended, or where nothing of it is to run again.
   */
  async replay(options: { only?: 'all' | 'failed' } = {}): Promise<void> {
    const { only = 'all' } = checkMethodOptions('flow.replay', replaySchema, options)
    if (await this.#driver.replay(this.flowId, only)) return
    const { open } = await this.#snapshot()
    if (open.size === 0) throw new FlowError(`flow '${this.flowId}' has nothing to replay: all its members succeeded`)
    throw new FlowError(`flow '${this.flowId}' has not ended: cancel it, or wait for its end, and replay it then`)
  }

  async #end(options: WaitOptions): Promise<FlowSnapshot> {
    const deadline = new Deadline(options.timeoutMs)
    const { flowRecords: records, keys, subscriber } = this.#link
    const late = () => new TimeoutError(`flow '${this.flowId}' did not end within ${deadline.ms} ms; it continues`)
    let wake = () => {}
    const stop = await subscriber.listen(keys.flowChannel(this.flowId), () => wake()).catch(() => () => {})
    try {
      for (;;) {
        const heard = new Promise<void>((resolve) => (wake = resolve))
        const [state] = await records.fields(this.flowId, ['state'])
        if (!state || state === 'creating') throw this.#missing()
        if (state !== 'running' && state !== 'cancelling') return await this.#snapshot()
        if (deadline.isOver) throw late()
        let timer: NodeJS.Timeout | undefined
        const pause = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, Math.min(POLL_MS, deadline.leftMs))
        })
        await Promise.race([heard, pause])
        clearTimeout(timer)
      }
    } finally {
      stop()
    }
  }

  async #snapshot(): Promise<FlowSnapshot> {
    const snapshot = await this.#driver.snapshot(this.flowId)
    if (!snapshot) throw this.#missing()
    return snapshot
  }

  #missing(): FlowError {
    return new FlowError(`there is no flow '${this.flowId}': it was never started, or its time is over (keepMs)`)
  }

  async #results(keys: readonly string[]): Promise<unknown[]> {
    const kept = await this.#link.flowRecords.results(this.flowId, keys)
    return Promise.all(
      keys.map(async (key, i) => {
        const bytes = kept[i] ?? (await this.#link.jobs.readResult(memberJobId(this.flowId, key), '')).result
        return bytes ? decodeResult(bytes, this.#link.limits).record.result : null
      }),
    )
  }

  async #errors(keys: readonly string[]): Promise<(string | null)[]> {
    const results = await this.#link.flowRecords.results(this.flowId, keys)
    return results.map((bytes) => {
      const read =
        bytes && readable((): JobResult => toJobResult(decodeResult(bytes, this.#link.limits).record, '', null))
      return read ? describeError(read.result) : null
    })
  }

  async #failure(snapshot: FlowSnapshot): Promise<FlowFailedError> {
    const { name, state } = snapshot
    const { members } = await this.status()
    const failed = members
      .filter((member) => ['failure', 'aborted', 'unknown'].includes(member.state))
      .map(({ error, jobId, name: member, state: outcome }) => ({ name: member, jobId, outcome, error }))
    const first = failed[0]
    const why = first ? `: ${first.name} ${first.outcome}${first.error === null ? '' : `, ${first.error}`}` : ''
    const others = failed.length > 1 ? ` and ${failed.length - 1} more` : ''
    return new FlowFailedError(`flow '${name}' (${this.flowId}) ended ${state}${why}${others}`, failed)
  }
}
