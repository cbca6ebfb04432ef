import type { MemberOutcome } from '@arq-ts/protocol/flows'
import { RedisReplyError, RedisUnavailableError } from '../errors.ts'
import type { EndingJob, Gate, GatedJob, Pass, Verdict } from '../gates/gate.ts'
import type { Logger } from '../logging/logger.ts'
import type { FlowRecords, MemberEnd, WrittenMember } from '../redis/flows.ts'
import type { Claim } from '../redis/broker.ts'
import { HOLD_MS } from '../redis/limits.ts'
import { checkCall, compileMembers } from './compile.ts'
import type { CompileOptions } from './compile.ts'
import type { FlowConductor } from './conductor.ts'
import type { FlowDriver } from './driver.ts'
import { FlowScope } from './scope.ts'

export interface FlowGateOptions {
  records: FlowRecords
  driver: FlowDriver
  conductor: FlowConductor
  now: () => number
  log: Logger
  /** Settings that members which running ones add are written with. */
  writing: Pick<CompileOptions, 'codec' | 'queueName' | 'limits'>
}

/** A member's place, as its payload names it. */
interface FlowMark {
  id: string
  member: string
  /** True where its result is kept with the flow. */
  keeps: boolean
}

/** Members of flows at their start and their end. */
export class FlowGate implements Gate {
  readonly #options: FlowGateOptions
  readonly #passes = new WeakMap<Claim, FlowPass>()
  /** Ends that wait for the turn to be over, by flow. */
  readonly #ends = new Map<string, { ends: MemberEnd[]; done: Promise<void> }>()
  readonly #driving = new Set<Promise<void>>()

  constructor(options: FlowGateOptions) {
    this.#options = options
  }

  start(): void {
    this.#options.conductor.start()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#options.conductor.stop(), ...this.#driving])
  }

  passFor(job: GatedJob): Pass | undefined {
    const mark = markOf(job)
    if (!mark) return undefined
    const pass = new FlowPass(job, mark, { ...this.#options, end: (end) => this.#end(mark.id, end) })
    this.#passes.set(job.claim, pass)
    return pass
  }

  /** The flow that a running job is in; a scope that refuses where it is in none. */
  scopeOf(claim: Claim): FlowScope {
    return this.#passes.get(claim)?.scope ?? new FlowScope(undefined)
  }

  /** Ends of one turn go in one call. Resolves once they are noted; what they lead to follows. Never rejects. */
  #end(flowId: string, end: MemberEnd): Promise<void> {
    const under = this.#ends.get(flowId)
    if (under) {
      under.ends.push(end)
      return under.done
    }
    const batch = { ends: [end], done: Promise.resolve() }
    this.#ends.set(flowId, batch)
    batch.done = new Promise((resolve) => {
      const driving = this.#send(flowId, batch, resolve).finally(() => {
        this.#driving.delete(driving)
        resolve()
      })
      this.#driving.add(driving)
    })
    return batch.done
  }

  async #send(flowId: string, batch: { ends: MemberEnd[] }, onEnded: () => void): Promise<void> {
    const { driver, log } = this.#options
    await new Promise((resolve) => setImmediate(resolve))
    this.#ends.delete(flowId)
    try {
      await driver.end(flowId, batch.ends, onEnded)
    } catch (error) {
      log.error({ err: error, flowId }, `moving the flow '${flowId}' on failed: the conductor of flows does it again`)
    }
  }
}

/** One member's run: created → admitted → (its end is noted) → ended. */
class FlowPass implements Pass {
  readonly scope: FlowScope
  readonly #job: GatedJob
  readonly #mark: FlowMark
  readonly #options: FlowGateOptions & { end: (end: MemberEnd) => Promise<void> }
  #ending: { outcome: MemberOutcome; result: Uint8Array | null } | undefined

  constructor(job: GatedJob, mark: FlowMark, options: FlowGateOptions & { end: (end: MemberEnd) => Promise<void> }) {
    this.#job = job
    this.#mark = mark
    this.#options = options
    const { now, writing } = options
    this.scope = new FlowScope(mark, (call) => checkCall(call, { ...writing, flowId: mark.id, nowMs: now() }))
  }

  /** A member that is not out is not to run: its time has not come, or its flow is cancelled. */
  async admit(): Promise<Verdict> {
    const { id, member } = this.#mark
    const { driver, now, records } = this.#options
    const { isOpen, isOut, state } = await records.placeOf(id, member)
    if (state === null || isOut) return { kind: 'admit' }
    if (state === 'cancelling') return { kind: 'drop', reason: `the flow '${id}' is cancelled` }
    if (isOpen) return { kind: 'hold', untilMs: now() + HOLD_MS, by: 'flow', about: `${id} ${member}` }
    const [outcome] = await records.fields(id, [`e:${member}`])
    // An operator has retried it: its flow opens again, unless what comes after it has run on its success.
    if (outcome !== 'success') await driver.readmit(id, member)
    return { kind: 'admit' }
  }

  renew(): Promise<void> {
    return Promise.resolve()
  }

  /**
   * Notes the outcome and the members that the handler added, while the lease still holds. If they cannot be noted, the job
   * does not end: it runs again.
   */
  async ending({ aborted, result, success }: EndingJob): Promise<void> {
    const { id, member } = this.#mark
    const { log, records } = this.#options
    const { claim } = this.#job
    const outcome = success ? 'success' : aborted ? 'aborted' : 'failure'
    const kept = this.#mark.keeps || !success ? result : null
    this.#ending = { outcome, result: kept }
    const added = success ? this.#added() : []
    try {
      await records.note(id, member, claim, { outcome, result: kept, added })
    } catch (error) {
      if (added.length > 0 || !(error instanceof RedisReplyError || error instanceof RedisUnavailableError)) throw error
      log.error({ err: error, jobId: claim.jobId }, `noting the end of a member of the flow '${id}' failed`)
    }
  }

  async end(): Promise<void> {
    if (!this.#ending) return
    const { jobId, queueName } = this.#job.claim
    const { outcome, result } = this.#ending
    const end = { key: this.#mark.member, jobId, queueName, outcome: undefined, otherwise: outcome }
    await this.#options.end({ ...end, result: result ?? undefined })
  }

  #added(): WrittenMember[] {
    const { now, writing } = this.#options
    const { members } = this.scope
    if (members.length === 0) return []
    return compileMembers(members, { ...writing, flowId: this.#mark.id, nowMs: now(), keepsLast: false })
  }
}

function markOf({ record }: GatedJob): FlowMark | undefined {
  const mark = record.mark?.flow
  if (typeof mark !== 'object' || mark === null) return undefined
  const { id, keeps, member } = mark as Partial<FlowMark>
  return typeof id === 'string' && typeof member === 'string' ? { id, member, keeps: keeps === true } : undefined
}
