import { isFailure, planReplay } from '@arq-ts/protocol/flows'
import type { MemberOutcome } from '@arq-ts/protocol/flows'
import { decodeResult, readable } from '@arq-ts/protocol/jobs'
import { RedisReplyError } from '../errors.ts'
import { endedState, toJobResult } from '../jobs/job.ts'
import { wrongTypeAt } from '../redis/key-kinds.ts'
import { FLOW_PAGE } from '../redis/flows.ts'
import type { MemberEnd, MemberJob } from '../redis/flows.ts'
import type { RedisContext } from '../redis/context.ts'
import { memberJobId, readDefinition, readSnapshot } from './definition.ts'
import type { FlowSnapshot } from './definition.ts'
import { planTasks } from './placing.ts'

/** A member's job, and whether its result is kept with the flow. */
export type FlowJob = MemberJob & { keeps: boolean }

const OUTCOMES = { complete: 'success', failed: 'failure', aborted: 'aborted' } as const

/**
 * Moves flows on: carries out what is to be done, finds what has ended, cancels, replays. Whoever meets a flow may: its
 * starter, the workers of its members, the conductor. Each step is a script that does a thing once, so that any of them may
 * die anywhere.
 */
export class FlowDriver {
  readonly #link: RedisContext

  constructor(link: RedisContext) {
    this.#link = link
  }

  /**
   * Carries out tasks of a flow, for some members or all, and the tasks that follow. An unfinished look at the members after a
   * member is a task, too.
   */
  async drive(flowId: string, members?: readonly string[]): Promise<void> {
    const { flowRecords: records } = this.#link
    let tasks = members?.length === 0 ? new Map<string, string>() : await records.todo(flowId, members)
    while (tasks.size > 0) {
      const ready = await this.#lookOn(flowId, tasks)
      // Members that can run go first; the rest is for show.
      const ordered = [...tasks]
        .filter(([, task]) => !task.startsWith('next'))
        .sort(([, a], [, b]) => Number(a.startsWith('hold')) - Number(b.startsWith('hold')))
      let faulty: string | undefined
      for (let from = 0; from < ordered.length; from += FLOW_PAGE) {
        const placements = await planTasks(this.#link, flowId, ordered.slice(from, from + FLOW_PAGE))
        const { bare, faultyQueue } = await records.place(flowId, placements)
        faulty ??= faultyQueue
        const bareKeys = bare.map(({ key }) => key)
        if (bare.length > 0) for (const key of await this.#endGone(flowId, bareKeys)) ready.push(key)
      }
      if (faulty !== undefined) throw new RedisReplyError(wrongTypeAt(this.#link.keys.queue(faulty)))
      tasks = ready.length === 0 ? new Map() : await records.todo(flowId, ready)
    }
  }

  /** Ends members whose outcome is known, then drives the members that are ready; calls `onEnded` between the two. */
  async end(flowId: string, ends: readonly MemberEnd[], onEnded: () => void): Promise<void> {
    const { ready } = await this.#link.flowRecords.end(flowId, ends)
    onEnded()
    await this.drive(flowId, ready)
  }

  /** Looks after a flow: carries out what others have left, and finds members that have ended, whoever ran them. */
  async look(flowId: string): Promise<void> {
    const { flowRecords: records, flowWatch } = this.#link
    const [state] = await records.fields(flowId, ['state'])
    if (state !== 'running' && state !== 'cancelling') return flowWatch.remove(flowId)
    await this.drive(flowId, await this.#endGone(flowId, await records.out(flowId)))
    if (state === 'cancelling') await this.cancel(flowId)
    else await this.drive(flowId)
  }

  /** Cancels a flow; what runs is asked to abort. Returns its state, null where there is no such flow. */
  async cancel(flowId: string): Promise<string | null> {
    const { broker, flowRecords: records, timeoutMs } = this.#link
    let { state } = await records.cancel(flowId, [])
    if (state !== 'cancelling') return state === '' ? null : state
    const open = [...((await this.snapshot(flowId))?.open ?? [])]
    for (let from = 0; from < open.length; from += FLOW_PAGE) {
      const page = await this.jobsOf(flowId, open.slice(from, from + FLOW_PAGE))
      const { running } = await records.cancel(flowId, page)
      for (const { jobId, queueName } of running) await broker.requestAbort(jobId, queueName, timeoutMs)
      const gone = await this.#ended(page)
      if (gone.length > 0) ({ state } = await records.end(flowId, gone))
    }
    return state
  }

  /**
   * Runs an ended flow again, the whole or what did not succeed. False where it has not ended, or where there is nothing to
   * run.
   */
  async replay(flowId: string, only: 'all' | 'failed'): Promise<boolean> {
    const opened = await this.#reopen(flowId, (snapshot) => (snapshot.open.size > 0 ? undefined : only), 'start')
    if (opened) await this.drive(flowId)
    return opened
  }

  /** Opens a member again whose job somebody has put into its queue anew, with all that comes after it. */
  async readmit(flowId: string, key: string): Promise<boolean> {
    const opened = await this.#reopen(flowId, (snapshot) => (snapshot.open.has(key) ? undefined : [key]), 'out', key)
    if (opened) await this.drive(flowId)
    return opened
  }

  async snapshot(flowId: string): Promise<FlowSnapshot | null> {
    return readSnapshot(flowId, await this.#link.flowRecords.read(flowId))
  }

  /** The jobs of members; those without a definition are left out. */
  async jobsOf(flowId: string, keys: readonly string[]): Promise<FlowJob[]> {
    const texts = await this.#link.flowRecords.fields(
      flowId,
      keys.map((key) => `m:${key}`),
    )
    return keys.flatMap((key, i) => {
      const text = texts[i]
      if (!text) return []
      const { keeps, queueName } = readDefinition(text)
      return [{ key, jobId: memberJobId(flowId, key), queueName, keeps }]
    })
  }

  /** Continues looks at those after members that have ended; returns members that are ready. */
  async #lookOn(flowId: string, tasks: ReadonlyMap<string, string>): Promise<string[]> {
    const keys = [...tasks].filter(([, task]) => task.startsWith('next')).map(([key]) => key)
    if (keys.length === 0) return []
    const ended = { outcome: undefined, otherwise: undefined, result: undefined }
    const members = (await this.jobsOf(flowId, keys)).map((job) => ({ ...job, ...ended }))
    return (await this.#link.flowRecords.end(flowId, members)).ready
  }

  async #endGone(flowId: string, members: readonly string[]): Promise<string[]> {
    const ends = await this.#ended(await this.jobsOf(flowId, members))
    if (ends.length === 0) return []
    return (await this.#link.flowRecords.end(flowId, ends)).ready
  }

  /** The ends of those of these jobs that are gone: a kept result says most, else the note of the worker, else nobody knows. */
  async #ended(jobs: readonly FlowJob[]): Promise<MemberEnd[]> {
    const gone = await this.#link.flowRecords.gone(jobs)
    return gone.map(({ job, result }) => {
      const outcome = result ? this.#outcomeOf(job.jobId, result) : undefined
      const isKept = outcome !== undefined && (job.keeps || outcome === 'failure')
      return { ...job, outcome, otherwise: 'unknown', result: isKept ? result! : undefined }
    })
  }

  #outcomeOf(jobId: string, result: Buffer): MemberOutcome | undefined {
    const read = readable(() => toJobResult(decodeResult(result, this.#link.limits).record, jobId, null))
    return read ? OUTCOMES[endedState(read)] : undefined
  }

  async #reopen(
    flowId: string,
    choose: (snapshot: FlowSnapshot) => 'all' | 'failed' | string[] | undefined,
    task: 'start' | 'out',
    first?: string,
  ): Promise<boolean> {
    for (;;) {
      const snapshot = await this.snapshot(flowId)
      const only = snapshot && choose(snapshot)
      if (!snapshot || !only) return false
      const { ends, members, onUnknown, version } = snapshot
      const { drop, reopen } = planReplay(members, ends, onUnknown, only)
      const tasks = new Map<string, string>(reopen)
      if (task === 'out') tasks.set(first!, task)
      if (tasks.size === 0) return false
      const staysFailed = [...ends].some(
        ([key, outcome]) => isFailure(outcome, onUnknown) && !tasks.has(key) && !drop.includes(key),
      )
      if (await this.#link.flowRecords.reopen(flowId, version, { drop, reopen: tasks, staysFailed })) return true
      // Somebody else was first, or this very call came twice.
      const [now] = await this.#link.flowRecords.fields(flowId, ['version'])
      if (now !== version) return this.#isOpen(flowId, [...tasks.keys()])
      // A member that would open is open: what comes after it is at work.
      if (task === 'out') return false
    }
  }

  async #isOpen(flowId: string, keys: readonly string[]): Promise<boolean> {
    const snapshot = await this.snapshot(flowId)
    return snapshot !== null && keys.some((key) => snapshot.open.has(key))
  }
}
