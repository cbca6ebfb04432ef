import { EXPIRES_EXTRA_MS } from '@arq-ts/protocol/jobs'
import type { Keys } from '@arq-ts/protocol/jobs'
import type { MemberOutcome } from '@arq-ts/protocol/flows'
import type { LeasedJob } from './broker-calls.ts'
import type { Call, Calls } from './calls.ts'
import { intact } from './damage.ts'
import { readId } from './id-bytes.ts'
import { HOLD_MS } from './limits.ts'
import type { ScriptValue } from './scripts.ts'

/** Members per call, so that no script holds the server for long. */
export const FLOW_PAGE = 500
/** Steps of one call that ends members: looks at one that comes after, or one added. Some milliseconds of Redis. */
const FLOW_STEPS = 250
/** Time that a flow whose producer died while it wrote it is kept, in ms. */
const CREATING_MS = 600_000

/** A member's definition as text, and the members around it. */
export interface WrittenMember {
  key: string
  definition: string
  after: readonly string[]
  next: readonly string[]
  payload: Buffer
}

/** A member's job. */
export interface MemberJob {
  key: string
  jobId: string
  queueName: string
}

/** Note of a worker on the end of a member: the outcome, and the members that its handler has added. */
export interface MemberNote {
  outcome: MemberOutcome
  result: Uint8Array | null
  added?: readonly Omit<WrittenMember, 'key'>[]
}

/** End of a member, as far as it is known: the outcome where a result shows it, `otherwise` where not even a note does. */
export interface MemberEnd extends MemberJob {
  outcome: MemberOutcome | undefined
  otherwise: MemberOutcome | undefined
  result: Uint8Array | undefined
}

/** Progress of one call that ends members. */
export interface EndedMembers {
  state: string
  /** Members that have ended by this call. */
  ended: number
  /** Members that need action now. */
  ready: string[]
  /** Members, from the first on, with which it is done: the others have to be given to another call. */
  done: number
  /** Progress with the next one; empty where it has not begun with that. */
  rest: string
}

/** One task on a member, decided. */
export interface Placement extends MemberJob {
  task: string
  /** Decision on it; `failure`: its call cannot be written. */
  action: 'hold' | 'run' | 'skipped' | 'blocked' | 'failure'
  payload: Buffer
  delayMs: number
  /** Reason why its call cannot be written. */
  reason?: string | undefined
}

/** Flows in Redis: their graphs, states and results. */
export class FlowRecords {
  readonly #calls: Calls
  readonly #keys: Keys
  readonly #expiresExtraMs: number

  constructor(calls: Calls, keys: Keys, expiresExtraMs = EXPIRES_EXTRA_MS) {
    this.#calls = calls
    this.#keys = keys
    this.#expiresExtraMs = expiresExtraMs
  }

  /** Takes an id for a flow; false where another one has it. */
  async take(flowId: string, token: string): Promise<boolean> {
    const [taken] = await this.#calls.script('flowTake', [this.#keys.flow(flowId)], [token, CREATING_MS])
    return taken === 1
  }

  /** Writes a flow in bounded steps; it does nothing yet, and expires unless it is started. */
  async write(
    flowId: string,
    meta: Readonly<Record<string, string>>,
    members: readonly WrittenMember[],
  ): Promise<void> {
    const [flow, open, todo, calls] = this.#written(flowId)
    for (let from = 0; from < members.length; from += FLOW_PAGE) {
      const page = members.slice(from, from + FLOW_PAGE)
      const fields = page.flatMap(({ key, definition, after, next }) => [
        `m:${key}`,
        definition,
        `x:${key}`,
        next.join(','),
        ...(after.length > 0 ? [`a:${key}`, after.join(',')] : []),
      ])
      const start = from === 0 ? Object.entries(meta).flat() : []
      const tasks = page.flatMap(({ after, key }) => [key, after.length > 0 ? 'hold:1' : 'start:1'])
      await this.#calls.pipeline([
        ['hset', flow!, ...start, ...fields],
        ['sadd', open!, ...page.map(({ key }) => key)],
        ['hset', todo!, ...tasks],
        ['hset', calls!, ...page.flatMap(({ key, payload }) => [key, payload])],
        ...[flow!, open!, todo!, calls!].map((key): Call => ['pexpire', key, CREATING_MS]),
      ])
    }
  }

  /** Lets a written flow begin; false where parts have expired while it was written. */
  async start(flowId: string, members: number): Promise<boolean> {
    const { flows, flowsChannel, flowWatch } = this.#keys
    const keys = [...this.#written(flowId), flows, flowWatch]
    const [started] = await this.#calls.script('flowStart', keys, [flowId, members, flowsChannel])
    return started === 1
  }

  /**
   * Notes how a running member ends, with the members that it has added, in the order they were added; false where its
   * lease is lost.
   */
  async note(
    flowId: string,
    key: string,
    claim: LeasedJob,
    { added = [], outcome, result }: MemberNote,
  ): Promise<boolean> {
    const keys = this.#keys
    const scriptKeys = [keys.flow(flowId), keys.flowOpen(flowId), keys.flowCalls(flowId), keys.flowResults(flowId)]
    scriptKeys.push(keys.queue(claim.queueName), keys.inProgress(claim.jobId), keys.retry(claim.jobId))
    for (let from = 0; ; from += FLOW_PAGE) {
      const isLast = from + FLOW_PAGE >= added.length
      const drafts = added
        .slice(from, from + FLOW_PAGE)
        .flatMap(({ after, definition, next, payload }) => [after.join(','), next.join(','), definition, payload])
      const args = [
        claim.jobId,
        claim.token,
        claim.jobTry,
        key,
        isLast ? outcome : '',
        isLast ? (result ?? '') : '',
        from,
        ...drafts,
      ]
      const [noted] = await this.#calls.script('flowNote', scriptKeys, args)
      if (noted !== 1 || isLast) return noted === 1
    }
  }

  /** Ends members whose jobs are gone; returns the flow's state and those that something is to be done about now. */
  async end(flowId: string, members: readonly MemberEnd[]): Promise<Omit<EndedMembers, 'done' | 'rest'>> {
    const all = { state: '', ended: 0, ready: [] as string[] }
    for (let from = 0; from < members.length; from += FLOW_PAGE) {
      let page = members.slice(from, from + FLOW_PAGE)
      for (let rest = ''; page.length > 0;) {
        const part = await this.endSome(flowId, page)
        all.state = part.state
        all.ended += part.ended
        for (const key of part.ready) all.ready.push(key)
        // Repeating a call that came no further could continue for ever. The next caller that reaches the flow finds what is left.
        if (part.done === 0 && part.rest === rest) break
        page = page.slice(part.done)
        rest = part.rest
      }
    }
    return all
  }

  /** Does a part of the work of `end` in one call of bounded length. A later call finds the rest. */
  async endSome(flowId: string, members: readonly MemberEnd[], steps = FLOW_STEPS): Promise<EndedMembers> {
    const keys = this.#keys
    const scriptKeys = [keys.flow(flowId), keys.flowOpen(flowId), keys.flowOut(flowId), keys.flowTodo(flowId)]
    scriptKeys.push(keys.flowCalls(flowId), keys.flowResults(flowId), keys.flowWatch, keys.held)
    const args: ScriptValue[] = [flowId, keys.flowChannel(flowId), steps]
    for (const { jobId, key, otherwise, outcome, queueName, result } of members) {
      scriptKeys.push(keys.queue(queueName), keys.job(jobId))
      args.push(key, jobId, outcome ?? '', otherwise ?? '', result ?? '')
    }
    const [state, ended, done, rest, ...ready] = await this.#calls.script('flowEnd', scriptKeys, args)
    return {
      state: readId(state as Buffer),
      ended: Number(ended),
      ready: ready.map((key) => readId(key as Buffer)),
      done: Number(done),
      rest: readId(rest as Buffer),
    }
  }

  /** Carries out tasks on members; returns those that are out without a job, and a queue that is no sorted set. */
  async place(
    flowId: string,
    placements: readonly Placement[],
  ): Promise<{ bare: MemberJob[]; faultyQueue: string | undefined }> {
    const keys = this.#keys
    const scriptKeys = [keys.flow(flowId), keys.flowOut(flowId), keys.flowTodo(flowId), keys.held, keys.dead]
    const args: ScriptValue[] = [HOLD_MS, this.#expiresExtraMs]
    for (const { action, delayMs, jobId, key, payload, queueName, task } of placements) {
      scriptKeys.push(keys.queue(queueName), keys.job(jobId), keys.inProgress(jobId), keys.retry(jobId))
      scriptKeys.push(keys.result(jobId), keys.deadLetter(jobId))
      args.push(key, jobId, task, action, payload, delayMs, keys.wakeChannel(queueName), `${flowId} ${key}`)
    }
    const reply = await this.#calls.script('flowPlace', scriptKeys, args)
    const faulty = placements.find((_, i) => reply[i] === 3)
    return { bare: placements.filter((_, i) => reply[i] === 2), faultyQueue: faulty?.queueName }
  }

  /** Opens members again by a plan that was made for this version of the flow; false where it has changed since. */
  async reopen(
    flowId: string,
    version: string,
    plan: { drop: readonly string[]; reopen: ReadonlyMap<string, string>; staysFailed: boolean },
  ): Promise<boolean> {
    const keys = this.#keys
    const scriptKeys = [keys.flow(flowId), keys.flowOpen(flowId), keys.flowOut(flowId), keys.flowTodo(flowId)]
    scriptKeys.push(keys.flowCalls(flowId), keys.flowResults(flowId), keys.flowWatch)
    const args: ScriptValue[] = [flowId, version, keys.flowsChannel, plan.staysFailed ? '1' : '', plan.drop.length]
    for (const key of plan.drop) args.push(key)
    for (const [key, task] of plan.reopen) args.push(key, task)
    const [opened] = await this.#calls.script('flowReopen', scriptKeys, args)
    return opened === 1
  }

  /** Lets no more of a flow start, and cancels those of these members that nobody runs; returns those that run. */
  async cancel(
    flowId: string,
    members: readonly MemberJob[],
  ): Promise<{ state: string; cancelled: MemberJob[]; running: MemberJob[] }> {
    const keys = this.#keys
    const scriptKeys = [
      keys.flow(flowId),
      keys.flowOpen(flowId),
      keys.flowOut(flowId),
      keys.flowTodo(flowId),
      keys.held,
    ]
    for (const { jobId, queueName } of members)
      scriptKeys.push(keys.queue(queueName), keys.job(jobId), keys.inProgress(jobId), keys.result(jobId))
    const args = members.flatMap(({ jobId, key }) => [key, jobId])
    const [state, ...replies] = await this.#calls.script('flowCancel', scriptKeys, args)
    return {
      state: readId(state as Buffer),
      cancelled: members.filter((_, i) => replies[i] === 1),
      running: members.filter((_, i) => replies[i] === 2),
    }
  }

  /** Reads a flow, all but its payloads and results. */
  async read(flowId: string): Promise<{
    fields: Record<string, string>
    open: string[]
    out: string[]
    todo: Record<string, string>
  }> {
    const keys = this.#keys
    const [fields, open, out, todo] = (await this.#calls.transaction([
      ['hgetall', keys.flow(flowId)],
      ['smembers', keys.flowOpen(flowId)],
      ['smembers', keys.flowOut(flowId)],
      ['hgetall', keys.flowTodo(flowId)],
    ])) as [Record<string, string>, string[], string[], Record<string, string>]
    return { fields, open, out, todo }
  }

  /** Fields of a flow's hash, null where there are none. */
  async fields(flowId: string, names: readonly string[]): Promise<(string | null)[]> {
    return (await this.#inPages('hmget', this.#keys.flow(flowId), names)) as (string | null)[]
  }

  /** Number of the fields of a flow's hash: it has no more members than that. */
  async size(flowId: string): Promise<number> {
    const [size] = await this.#calls.pipeline([['hlen', this.#keys.flow(flowId)]])
    return Number(size)
  }

  /** Keeps reasons of members that end without a job. */
  async explain(flowId: string, reasons: readonly (readonly [key: string, reason: string])[]): Promise<void> {
    const fields = reasons.flatMap(([key, reason]) => [`r:${key}`, reason])
    await this.#calls.pipeline([['hset', this.#keys.flow(flowId), ...fields]])
  }

  /** Tasks by member; those of the members given, or all. */
  async todo(flowId: string, members?: readonly string[]): Promise<Map<string, string>> {
    const key = this.#keys.flowTodo(flowId)
    if (members) {
      const tasks = (await this.#inPages('hmget', key, members)) as (string | null)[]
      return new Map(members.flatMap((member, i) => (tasks[i] ? [[member, tasks[i]]] : [])))
    }
    const [all] = (await this.#calls.pipeline([['hgetall', key]])) as [Record<string, string>]
    return new Map(Object.entries(all))
  }

  /** Members that are out, and among the open ones: where a member is. */
  async placeOf(flowId: string, key: string): Promise<{ state: string | null; isOpen: boolean; isOut: boolean }> {
    const keys = this.#keys
    const [state, isOpen, isOut] = (await this.#calls.transaction([
      ['hget', keys.flow(flowId), 'state'],
      ['sismember', keys.flowOpen(flowId), key],
      ['sismember', keys.flowOut(flowId), key],
    ])) as [string | null, number, number]
    return { state, isOpen: isOpen === 1, isOut: isOut === 1 }
  }

  /** For each of these jobs, true where a worker has it. */
  async running(jobIds: readonly string[]): Promise<boolean[]> {
    const holders = await this.#calls.attempt(jobIds.map((id): Call => ['exists', this.#keys.inProgress(id)]))
    return holders.map((count) => count === 1)
  }

  /** Members that are out. */
  async out(flowId: string): Promise<string[]> {
    const [members] = (await this.#calls.pipeline([['smembers', this.#keys.flowOut(flowId)]])) as [string[]]
    return members
  }

  /** Payloads of members as they were given. */
  calls(flowId: string, members: readonly string[]): Promise<(Buffer | null)[]> {
    return this.#inPages('hmgetBuffer', this.#keys.flowCalls(flowId), members) as Promise<(Buffer | null)[]>
  }

  /** Results of members, as workers of either language wrote them. */
  results(flowId: string, members: readonly string[]): Promise<(Buffer | null)[]> {
    return this.#inPages('hmgetBuffer', this.#keys.flowResults(flowId), members) as Promise<(Buffer | null)[]>
  }

  /** Jobs among these that have left their queues and have no payload; with their results where these are kept. */
  async gone<T extends MemberJob>(jobs: readonly T[]): Promise<{ job: T; result: Buffer | null }[]> {
    const keys = this.#keys
    const found: { job: T; result: Buffer | null }[] = []
    for (let from = 0; from < jobs.length; from += FLOW_PAGE) {
      const page = jobs.slice(from, from + FLOW_PAGE)
      const places = await this.#calls.attempt(
        page.flatMap(({ jobId, queueName }): Call[] => [
          ['zscore', keys.queue(queueName), jobId],
          ['exists', keys.job(jobId)],
        ]),
      )
      const gone = page.filter((_, i) => places[2 * i] === null && places[2 * i + 1] === 0)
      const results = await this.#calls.attempt(gone.map(({ jobId }): Call => ['getBuffer', keys.result(jobId)]))
      gone.forEach((job, i) => found.push({ job, result: results[i] instanceof Buffer ? results[i] : null }))
    }
    return found
  }

  /** Flows by the time each was started, the newest first. Ids of flows that are gone are forgotten where this user may write. */
  async list(limit: number): Promise<{ flowId: string; fields: (string | null)[]; open: number }[]> {
    const keys = this.#keys
    const found: { flowId: string; fields: (string | null)[]; open: number }[] = []
    const gone: string[] = []
    for (let from = 0; found.length < limit;) {
      const to = from + Math.min(FLOW_PAGE, limit - found.length) - 1
      const [ids] = (await this.#calls.pipeline([['zrevrange', keys.flows, from, to]])) as [string[]]
      if (ids.length === 0) break
      from += ids.length
      const replies = await this.#calls.attempt(
        ids.flatMap((id): Call[] => [
          ['hmget', keys.flow(id), 'name', 'state', 'started', 'ended', 'members'],
          ['scard', keys.flowOpen(id)],
        ]),
      )
      for (const [i, flowId] of ids.entries()) {
        const fields = replies[2 * i]
        if (!Array.isArray(fields)) continue
        if (fields[1] === null) gone.push(flowId)
        else found.push({ flowId, fields, open: intact(replies[2 * i + 1], 0) })
      }
    }
    if (gone.length > 0) await this.#calls.note([['zrem', keys.flows, ...gone]])
    return found
  }

  #written(flowId: string): string[] {
    const keys = this.#keys
    return [keys.flow(flowId), keys.flowOpen(flowId), keys.flowTodo(flowId), keys.flowCalls(flowId)]
  }

  /** Values of a hash by their names, which may be too many for one call. */
  async #inPages(command: 'hmget' | 'hmgetBuffer', key: string, names: readonly string[]): Promise<unknown[]> {
    const values: unknown[] = []
    for (let from = 0; from < names.length; from += FLOW_PAGE) {
      const [part] = (await this.#calls.pipeline([[command, key, ...names.slice(from, from + FLOW_PAGE)]])) as [
        unknown[],
      ]
      for (const value of part) values.push(value)
    }
    return values
  }
}
