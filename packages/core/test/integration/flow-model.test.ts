import { FlowMachine } from '@arq-ts/protocol/flows'
import type { FlowGraph, FlowNode, MemberOutcome } from '@arq-ts/protocol/flows'
import { decodeJob, encodeResult } from '@arq-ts/protocol/jobs'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectedEnds, random, randomFlow } from '../../../protocol/test/support/random-flows.ts'
import { flow, JobAbortedError } from '../../src/index.ts'
import type { FlowMember } from '../../src/index.ts'
import { compileMembers } from '../../src/flows/compile.ts'
import { memberJobId } from '../../src/flows/definition.ts'
import { FlowDriver } from '../../src/flows/driver.ts'
import { FlowBuilder } from '../../src/flows/builder.ts'
import { Flows } from '../../src/flows/flows.ts'
import { planTasks } from '../../src/flows/placing.ts'
import type { LeasedJob } from '../../src/redis/broker-calls.ts'
import type { WrittenMember } from '../../src/redis/flows.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { silent } from './support.ts'

/** The long form: FLOW_RUNS=5000. */
const COUNT = Number(process.env.FLOW_RUNS ?? 15)
const FIRST = Number(process.env.FLOW_SEED ?? 1)
const QUEUE = 'arq:queue'

let database: Database
let link: RedisContext

beforeAll(async () => {
  database = await takeDatabase()
  link = new RedisContext({ redis: database.url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
})
afterAll(async () => {
  await link.close()
  await database.release()
})

/** A flow in Redis and its model, on which everything is done at once. Workers are played: what they write is real. */
class Twin {
  readonly #next: () => number
  readonly #driver = new FlowDriver(link)
  readonly #running = new Set<string>()
  /** Members whose job is gone, and whose end nobody has noted: their worker was killed then, or is Python's. */
  readonly #unnoted = new Map<string, MemberOutcome>()
  readonly #runs = new Map<string, number>()
  /** Members that were added by members whose end is not noted yet. */
  readonly #added = new Map<string, FlowGraph>()
  readonly #notedInVain = new Set<string>()
  readonly model: FlowMachine
  readonly outcomes: Map<string, MemberOutcome>
  readonly flowId: string
  isCancelled = false

  constructor(seed: number) {
    this.#next = random(seed)
    const { graph, onUnknown, outcomes } = randomFlow(this.#next, 1 + Math.floor(this.#next() * 9))
    this.model = new FlowMachine(graph, onUnknown)
    this.outcomes = outcomes
    this.flowId = `seed-${seed}`
  }

  async start(): Promise<void> {
    const { graph, onUnknown } = this.model
    const f = flow('model', { onUnknown })
    const handles = new Map<string, FlowMember>()
    for (const [key, { after, on }] of graph) {
      const before = after.map((parent) => handles.get(parent)!)
      // Some come after others by what they take, some by `after` alone.
      const taken = before.filter(() => this.#next() < 0.5)
      handles.set(key, f.call('run', [key, ...taken], { after: before as never, on }))
    }
    // Nothing is driven by the start: each step is taken by itself.
    const drive = FlowDriver.prototype.drive
    FlowDriver.prototype.drive = () => Promise.resolve()
    await new Flows(link, { codec: 'pickle', queueName: QUEUE }).start(f, { flowId: this.flowId })
    FlowDriver.prototype.drive = drive
    await this.compare('start')
  }

  async step(): Promise<void> {
    const { model } = this
    const roll = this.#next()
    const pick = <T>(items: readonly T[]): T => items[Math.floor(this.#next() * items.length)]!
    const queued = [...model.out].filter((key) => !this.#running.has(key) && !this.#unnoted.has(key))
    if (roll < 0.35 && model.todo.size > 0) await this.place(pick([...model.todo.keys()]))
    else if (roll < 0.55 && queued.length > 0) await this.claim(pick(queued))
    else if (roll < 0.62 && this.#running.size > 0) await this.noteInVain(pick([...this.#running]))
    else if (roll < 0.85 && this.#running.size > 0) await this.settle(pick([...this.#running]))
    else if (roll < 0.95 && this.#unnoted.size > 0) await this.end(pick([...this.#unnoted.keys()]))
    else if (roll < 0.98) await this.look()
    else if (roll > 0.99) await this.cancel()
  }

  async place(key: string): Promise<void> {
    const { model } = this
    const task = (await link.flowRecords.todo(this.flowId)).get(key)
    const done = model.place(key)
    if (task !== undefined) await link.flowRecords.place(this.flowId, await planTasks(link, this.flowId, [[key, task]]))
    if (done === 'skipped' || done === 'blocked') this.#unnoted.set(key, done)
    if (done === 'run') await this.#expectCall(key)
    await this.compare(`place ${key}`)
  }

  async claim(key: string): Promise<void> {
    this.#runs.set(key, (this.#runs.get(key) ?? 0) + 1)
    expect(this.#runs.get(key), `runs of ${key}`).toBe(1)
    const id = this.#id(key)
    await database.redis.multi().set(`arq:in-progress:${id}`, 'token', 'PX', 60_000).set(`arq:retry:${id}`, 1).exec()
    this.#running.add(key)
  }

  /** A run whose worker dies after its note: the job runs again, and the members that the run added do not count. */
  async noteInVain(key: string): Promise<void> {
    // A job that is gone without a result has ended as its note says, no matter which worker ran it last.
    if (this.outcomes.get(key) === 'unknown') return
    const { added } = this.#drawKids(key)
    const note = { outcome: 'success', result: this.#result(key, 'success'), added } as const
    expect(await link.flowRecords.note(this.flowId, key, this.#claim(key), note)).toBe(true)
    this.#notedInVain.add(key)
    await this.compare(`note ${key}`)
  }

  /** Keys that a worker of either language leaves of a job that ends. */
  async settle(key: string): Promise<void> {
    const planned = this.model.state === 'cancelling' ? 'aborted' : this.outcomes.get(key)!
    const id = this.#id(key)
    const result = planned === 'unknown' ? null : this.#result(key, planned)
    const isPython = planned === 'unknown' || (this.#next() < 0.4 && !this.#notedInVain.has(key))
    this.#notedInVain.delete(key)
    if (!isPython) {
      const { added, graph } = this.#drawKids(key)
      const note = { outcome: planned, result, added: planned === 'success' ? added : [] }
      const lost = { ...this.#claim(key), token: 'lost' }
      expect(await link.flowRecords.note(this.flowId, key, lost, { outcome: 'failure', result: null })).toBe(false)
      // As in finish.lua, a lapsed lease still belongs to this worker until somebody else takes the job.
      if (this.#next() < 0.2) await database.redis.del(`arq:in-progress:${id}`)
      expect(await link.flowRecords.note(this.flowId, key, this.#claim(key), note)).toBe(true)
      this.#added.set(key, graph)
      for (const kid of graph.keys()) this.outcomes.set(kid, this.#next() < 0.7 ? 'success' : 'failure')
    }
    const isKept = result !== null && (isPython || this.#next() < 0.5)
    const chain = database.redis
      .multi()
      .del(`arq:in-progress:${id}`, `arq:job:${id}`, `arq:retry:${id}`)
      .zrem(QUEUE, id)
    await (isKept ? chain.set(`arq:result:${id}`, result) : chain).exec()
    this.#running.delete(key)
    this.#unnoted.set(key, planned)
    if (!isPython && this.#next() < 0.6) await this.end(key)
  }

  async end(key: string): Promise<void> {
    const outcome = this.#unnoted.get(key)!
    this.#unnoted.delete(key)
    const result = await database.redis.getBuffer(`arq:result:${this.#id(key)}`)
    const own = { key, jobId: this.#id(key), queueName: QUEUE }
    const known = result ? outcome : undefined
    const end = { ...own, outcome: known, otherwise: 'unknown' as const, result: result ?? undefined }
    this.#endModel(key, outcome)
    // A few steps by a worker that then dies; the conductor or another worker continues.
    for (let parts = Math.floor(this.#next() * 4); parts > 0; parts--)
      await link.flowRecords.endSome(this.flowId, [end], 1)
    if (this.#next() < 0.3) {
      await this.#driver.look(this.flowId)
      this.#driveModel()
    } else {
      // Twice, and once more for a member that has not ended: only the first call changes anything.
      await link.flowRecords.end(this.flowId, [end])
      await link.flowRecords.end(this.flowId, [end])
    }
    await this.compare(`end ${key}`)
  }

  async look(): Promise<void> {
    await this.#driver.look(this.flowId)
    this.#driveModel()
    await this.compare('look')
  }

  async cancel(): Promise<void> {
    this.isCancelled = true
    const wasOpen = this.model.open.size > 0
    await this.#driver.cancel(this.flowId)
    if (!wasOpen) return
    this.model.cancel()
    for (const key of this.model.out) {
      const known = this.#unnoted.get(key)
      if (known) this.#endModel(key, known)
      else if (!this.#running.has(key)) this.model.end(key, 'cancelled')
    }
    this.#unnoted.clear()
    await this.compare('cancel')
  }

  async replay(only: 'all' | 'failed'): Promise<void> {
    const begun = await this.#driver.replay(this.flowId, only)
    this.model.replay(only)
    expect(begun).toBe(this.model.open.size > 0)
    this.isCancelled &&= !begun
    for (const key of this.outcomes.keys()) {
      if (this.model.ends.has(key)) continue
      this.#runs.delete(key)
      if (this.#next() < 0.3) this.outcomes.set(key, 'success')
    }
    this.#driveModel()
    await this.compare(`replay ${only}`)
  }

  #endModel(key: string, outcome: MemberOutcome): void {
    this.model.end(key, outcome, this.#added.get(key))
    this.#added.delete(key)
  }

  #driveModel(): void {
    const { model } = this
    for (const [key, outcome] of this.#unnoted) this.#endModel(key, outcome)
    this.#unnoted.clear()
    while (model.state === 'running' && model.todo.size > 0) {
      for (const key of model.todo.keys()) {
        const done = model.place(key)
        if (done === 'skipped' || done === 'blocked') model.end(key, done)
      }
    }
    if (model.state === 'cancelling') model.cancel()
  }

  /** Redis and the model say the same; what is due has all before it behind it. */
  async compare(after: string): Promise<void> {
    const { model } = this
    const stored = await link.flowRecords.read(this.flowId)
    const ends = Object.entries(stored.fields).flatMap(([field, end]) =>
      field.startsWith('e:') ? [[field.slice(2), end]] : [],
    )
    const todo =
      model.state === 'running' ? Object.entries(stored.todo).map(([key, task]) => [key, task.split(':')[0]]) : []
    expect(
      {
        open: stored.open.sort(),
        out: stored.out.sort(),
        ends: ends.sort(),
        todo: todo.sort(),
        state: stored.fields.state,
      },
      after,
    ).toEqual({
      open: [...model.open].sort(),
      out: [...model.out].sort(),
      ends: [...model.ends].sort(),
      todo: model.state === 'running' ? [...model.todo].sort() : [],
      state: model.state,
    })
    const due = await database.redis.zrangebyscore(QUEUE, '-inf', Date.now() + 60_000)
    const mine = due.filter((id) => id.startsWith(`${this.flowId}-`)).map((id) => id.slice(this.flowId.length + 1))
    expect(
      mine.filter((key) => !model.out.has(key)),
      'due before its time',
    ).toEqual([])
  }

  /** The results of those before it stand in its call, and null for those that did not succeed. */
  async #expectCall(key: string): Promise<void> {
    const payload = await database.redis.getBuffer(`arq:job:${this.#id(key)}`)
    const [own, ...taken] = decodeJob(payload!).record.args
    expect(own).toBe(key)
    const good = this.model.graph.get(key)!.after.filter((parent) => this.model.ends.get(parent) === 'success')
    for (const value of taken) if (value !== null) expect(good.map((parent) => `result of ${parent}`)).toContain(value)
  }

  #result(key: string, outcome: MemberOutcome): Buffer {
    const success = outcome === 'success'
    const error = outcome === 'aborted' ? new JobAbortedError('aborted') : new Error('failed')
    const times = { enqueueTimeMs: 1, startTimeMs: 1, finishTimeMs: 1 }
    const job = { jobTry: 1, functionName: 'run', args: [], kwargs: {}, queueName: QUEUE, jobId: this.#id(key) }
    return encodeResult({ ...job, ...times, success, result: success ? `result of ${key}` : error }, 'pickle')
  }

  /** Up to three calls that a run of a member adds, some after others of them. */
  #drawKids(parent: string): { graph: FlowGraph; added: WrittenMember[] } {
    const graph = new Map<string, FlowNode>()
    const builder = new FlowBuilder((index) => `${parent}.${index}`)
    const handles: FlowMember[] = []
    for (let count = this.model.graph.size > 14 ? 0 : Math.floor(this.#next() * 4); count > 0; count--) {
      const after = handles.filter(() => this.#next() < 0.4)
      const key = `${parent}.${handles.length}`
      handles.push(builder.call('run', [key], { after: after as never, on: 'any' }))
      graph.set(key, { after: after.map((each) => each.key), on: 'any' })
    }
    const own = {
      flowId: this.flowId,
      codec: 'pickle',
      queueName: QUEUE,
      limits: {},
      nowMs: 1,
      keepsLast: false,
    } as const
    return { graph, added: graph.size === 0 ? [] : compileMembers(builder.members, own) }
  }

  #claim(key: string): LeasedJob {
    return { jobId: this.#id(key), queueName: QUEUE, token: 'token', jobTry: 1 }
  }

  #id(key: string): string {
    return memberJobId(this.flowId, key)
  }
}

async function run(seed: number): Promise<void> {
  const twin = new Twin(seed)
  await twin.start()
  for (let replays = seed % 3; ; replays--) {
    for (let steps = 0; twin.model.open.size > 0; steps++) {
      if (steps > 2_000) throw new Error('it did not end')
      await twin.step()
    }
    if (twin.isCancelled) expect(twin.model.state).toBe('cancelled')
    else expect(twin.model.ends).toEqual(expectedEnds(twin.model.graph, twin.model.onUnknown, twin.outcomes))
    const keys = ['open', 'out', 'todo'].map((name) => `arq:flow-${name}:${twin.flowId}`)
    expect(await database.redis.exists(...keys)).toBe(0)
    expect(await database.redis.pttl(`arq:flow:${twin.flowId}`)).toBeGreaterThan(0)
    if (replays === 0) return
    await twin.replay(seed % 2 === 0 ? 'all' : 'failed')
  }
}

test(
  `flows in Redis do at each step what their model does: ${COUNT} at random from seed ${FIRST}`,
  async () => {
    for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
      await run(seed).catch((error: unknown) => {
        throw new Error(`FLOW_SEED=${seed} FLOW_RUNS=1 repeats it: ${(error as Error).message}`, { cause: error })
      })
    }
    expect(await database.redis.exists('arq:held', 'arq:flow-watch')).toBe(0)
  },
  Math.max(120_000, COUNT * 2_000),
)
