import { randomUUID } from 'node:crypto'
import type { CodecName } from '@arq-ts/protocol/jobs'
import type { FlowState } from '@arq-ts/protocol/flows'
import { FlowError, OptionsError } from '../errors.ts'
import { checkMethodOptions, checkName } from '../options/arguments.ts'
import { gotValue } from '../options/given-value.ts'
import type { RedisContext } from '../redis/context.ts'
import { compileMembers, mayBePython } from './compile.ts'
import { FlowDriver } from './driver.ts'
import { Flow } from './flow.ts'
import { listSchema, startSchema } from './flow-options.ts'
import { FlowRun } from './run.ts'

export type { Flow, FlowRun }

/** A flow in a list. */
export interface ListedFlow {
  flowId: string
  name: string
  state: FlowState
  startedAt: Date
  /** Time of its end; null before. */
  endedAt: Date | null
  /** Members it was started with. */
  members: number
  /** Members that have not ended. */
  open: number
}

/** Runs of flows: `client.flows`. */
export class Flows {
  readonly #link: RedisContext
  readonly #codec: CodecName
  readonly #queueName: string

  /** @internal */
  constructor(link: RedisContext, options: { codec: CodecName; queueName: string }) {
    this.#link = link
    this.#codec = options.codec
    this.#queueName = options.queueName
  }

  /** @internal */
  async start(flow: Flow, options: { flowId?: string }): Promise<FlowRun> {
    if (!(flow instanceof Flow))
      throw new OptionsError(`client.start: expected a flow, as \`flow(…)\` returns it, ${gotValue(flow)}`)
    const { flowId: given } = checkMethodOptions('client.start', startSchema, options)
    const flowId = this.#link.flowId(given, () => randomUUID().replaceAll('-', ''))
    const python = flow.members.find(({ task }) => mayBePython(task))
    if (python && flow.onUnknown === undefined) {
      const what = `flow '${flow.name}' needs \`onUnknown\`: Python may run its member '${python.name}' and keep no result`
      throw new OptionsError(`client.start: ${what}; 'fail' or 'succeed' says what such an end counts as`)
    }
    await this.#link.syncClock()
    const { clock, flowRecords: records, limits } = this.#link
    const writing = { flowId, codec: this.#codec, queueName: this.#queueName, limits, nowMs: clock.now() }
    const members = compileMembers(flow.members, { ...writing, keepsLast: true })
    // Flows expire by themselves and leave their ids in the list: each addition removes some of those.
    await this.#link.partOf(flowId).flowWatch.sweep()
    if (!(await records.take(flowId, randomUUID()))) throw new FlowError(`there is a flow '${flowId}' already`)
    const meta = {
      name: flow.name,
      state: 'creating',
      version: '1',
      unknown: flow.onUnknown ?? 'fail',
      keep: String(flow.keepMs),
      members: String(members.length),
    }
    await records.write(flowId, meta, members)
    if (!(await records.start(flowId, members.length)))
      throw new FlowError(`flow '${flowId}' was not started: it took longer than 10 minutes to write its members`)
    await new FlowDriver(this.#link).drive(flowId)
    return new FlowRun(flowId, this.#link)
  }

  /** A handle on a flow by its id, whoever started it. */
  get(flowId: string): FlowRun {
    checkName('client.flows.get', 'flowId', flowId)
    return new FlowRun(flowId, this.#link)
  }

  /** Flows, the newest first, as long as they are kept; 100 unless `limit` says otherwise. */
  async list(options: { limit?: number } = {}): Promise<ListedFlow[]> {
    const { limit = 100 } = checkMethodOptions('client.flows.list', listSchema, options)
    const flows = await this.#link.flowRecords.list(limit)
    return flows.map(({ fields: [name, state, started, ended, members], flowId, open }) => ({
      flowId,
      name: name ?? '',
      state: state as FlowState,
      startedAt: new Date(Number(started)),
      endedAt: ended ? new Date(Number(ended)) : null,
      members: Number(members),
      open,
    }))
  }
}
