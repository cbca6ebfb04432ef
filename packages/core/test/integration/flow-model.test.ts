import { FlowMachine } from '@arq-ts/protocol/flows'
import type { FlowNode, MemberOutcome } from '@arq-ts/protocol/flows'
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
import { Link } from '../../src/redis/link.ts'
import { silent } from './support.ts'

const COUNT = Number(process.env.FLOW_RUNS ?? 15)
const FIRST = Number(process.env.FLOW_SEED ?? 1)
const QUEUE = 'arq:queue'

let database: Database
let link: Link

beforeAll(async () => {
  database = await takeDatabase()
  link = new Link({ redis: database.url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
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
    else if (roll < 0.62 && this.#running.size > 0) await this.add(pick([...this.#running]))
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
    await database.redis.set(`arq:in-progress:${this.#id(key)}`, 'token', 'PX', 60_000)
    this.#running.add(key)
  }

  async add(parent: string): Promise<void> {
    if (this.model.graph.size > 14 || this.model.state !== 'running') return
    const siblings = [...this.model.graph.keys()].filter(
      (key) => key.startsWith(`${parent}.`) && !key.slice(parent.length + 1).includes('.'),
    )
    const number = siblings.length
    const key = `${parent}.${number}`
    const node: FlowNode = { after: siblings.slice(0, this.#next() < 0.5 ? 1 : 0), on: 'any' }
    const builder = new FlowBuilder((index) => `${parent}.${index}`)
    const handles = siblings.map(() => builder.call('run', []))
    builder.call('run', [key], { after: handles.slice(0, node.after.length) as never, on: 'any' })
    const writing = {
      flowId: this.flowId,
      codec: 'pickle',
      queueName: QUEUE,
      limits: {},
      nowMs: 1,
      keepsLast: false,
    } as const
    const written = compileMembers(builder.members, writing).map((each, i) => ({ ...each, number: i }))
    const claim = { jobId: this.#id(parent), queueName: QUEUE, token: 'token', jobTry: 1 }
    // All of them again: those that are there already stay as they are.
    expect(await link.flowRecords.add(this.flowId, parent, claim, written)).toBe(true)
    expect(await link.flowRecords.add(this.flowId, parent, { ...claim, token: 'lost' }, written)).toBe(false)
    this.model.add(parent, key, node)
    this.outcomes.set(key, this.#next() < 0.7 ? 'success' : 'failure')
    await this.compare(`add ${key}`)
  }

  /** What a worker of either language leaves of a job that ends. */
  async settle(key: string): Promise<void> {
    const planned = this.model.state === 'cancelling' ? 'aborted' : this.outcomes.get(key)!
    const id = this.#id(key)
    const result = planned === 'unknown' ? null : this.#result(key, planned)
    const isPython = planned === 'unknown' || this.#next() < 0.4
    const claim = { jobId: id, queueName: QUEUE, token: 'token', jobTry: 1 }
    if (!isPython) {
      expect(await link.flowRecords.note(this.flowId, key, { ...claim, token: 'lost' }, 'failure', null)).toBe(false)
      expect(await link.flowRecords.note(this.flowId, key, claim, planned, result)).toBe(true)
    }
    const isKept = result !== null && (isPython || this.#next() < 0.5)
    const chain = database.redis.multi().del(`arq:in-progress:${id}`, `arq:job:${id}`).zrem(QUEUE, id)
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
    this.model.end(key, outcome)
    // Twice, and once more for one that has not ended: only the first changes anything.
    await link.flowRecords.end(this.flowId, [end])
    await link.flowRecords.end(this.flowId, [end])
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
      if (known) this.model.end(key, known)
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

  #driveModel(): void {
    const { model } = this
    for (const [key, outcome] of this.#unnoted) model.end(key, outcome)
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

test(`flows in Redis do at each step what their model does: ${COUNT} at random from seed ${FIRST}`, async () => {
  for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
    await run(seed).catch((error: unknown) => {
      throw new Error(`FLOW_SEED=${seed} FLOW_RUNS=1 repeats it: ${(error as Error).message}`, { cause: error })
    })
  }
  expect(await database.redis.exists('arq:held', 'arq:flow-watch')).toBe(0)
}, 120_000)
