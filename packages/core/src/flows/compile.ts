import { membersOf, problemOfGraph, takeReferences } from '@arq-ts/protocol/flows'
import type { FlowNode } from '@arq-ts/protocol/flows'
import { encodeJob } from '@arq-ts/protocol/jobs'
import type { CodecName } from '@arq-ts/protocol/jobs'
import type { PayloadLimits } from '@arq-ts/protocol'
import { ArgumentsError, OptionsError } from '../errors.ts'
import type { WrittenMember } from '../redis/flows.ts'
import type { AnyContract } from '../tasks/contract.ts'
import { keysInInput } from './builder.ts'
import type { CalledMember } from './builder.ts'
import { writeDefinition } from './definition.ts'
import { FlowGroup, FlowMember } from './handles.ts'

/** Settings that members are written with. */
export interface CompileOptions {
  flowId: string
  codec: CodecName
  queueName: string
  limits: PayloadLimits
  nowMs: number
  /** True where results of members that none comes after are kept, for who waits for the flow. */
  keepsLast: boolean
}

/**
 * Makes members of calls: each call packed, with null where results will stand.
 *
 * @throws ArgumentsError, EncodeError; OptionsError for a graph that cannot run.
 */
export function compileMembers(calls: readonly CalledMember[], options: CompileOptions): WrittenMember[] {
  const { codec: ownCodec, flowId, keepsLast, limits, nowMs } = options
  const written = calls.map((call) => {
    const { references, ...rest } = packed(call, ownCodec)
    const after = [...new Set([...call.after, ...membersOf(references)])]
    return { call, references, after, ...rest }
  })
  const graph = new Map<string, FlowNode>(written.map(({ after, call }) => [call.handle.key, { after, on: call.on }]))
  const problem = problemOfGraph(graph)
  if (problem !== undefined) throw new OptionsError(`flow: ${problem}`)
  const next = new Map<string, string[]>(calls.map(({ handle }) => [handle.key, []]))
  const needed = new Set<string>()
  for (const { after, call, references } of written) {
    for (const key of after) next.get(key)!.push(call.handle.key)
    for (const key of membersOf(references)) needed.add(key)
  }
  return written.map(({ after, args, call, codec, kwargs, references }) => {
    const { delayMs, handle, name, on, queueName = options.queueName, task } = call
    const functionName = typeof task === 'string' ? task : task.name
    const behind = next.get(handle.key)!
    const keeps = needed.has(handle.key) || (keepsLast && behind.length === 0)
    const mark = { flow: { id: flowId, member: handle.key, ...(keeps ? { keeps } : {}) } }
    const payload = encodeJob({ jobTry: null, functionName, args, kwargs, enqueueTimeMs: nowMs, mark }, codec, limits)
    const isPython = mayBePython(task)
    const definition = writeDefinition({ name, functionName, queueName, on, delayMs, isPython, references, keeps })
    return { key: handle.key, definition, after, next: behind, payload }
  })
}

/**
 * Checks a single call, as it would be written: an error that shows when all are written is too late for the handler
 * that made it.
 *
 * @throws ArgumentsError, EncodeError, OptionsError.
 */
export function checkCall(call: CalledMember, options: Omit<CompileOptions, 'queueName' | 'keepsLast'>): void {
  const { args, codec, kwargs } = packed(call, options.codec)
  const functionName = typeof call.task === 'string' ? call.task : call.task.name
  const mark = { flow: { id: options.flowId, member: call.handle.key, keeps: true } }
  encodeJob({ jobTry: null, functionName, args, kwargs, enqueueTimeMs: options.nowMs, mark }, codec, options.limits)
}

/** True for a function that Python workers run, and for one of which only the name is known. */
export function mayBePython(task: AnyContract | string): boolean {
  return typeof task === 'string' || task.isPython === true
}

/** A call's arguments with null where results will stand, and its codec. */
function packed(call: CalledMember, ownCodec: CodecName): ReturnType<typeof takeReferences> & { codec: CodecName } {
  const codec = (typeof call.task === 'object' && call.task.codec) || ownCodec
  const taken = takeReferences(pack(call, codec), (value) =>
    value instanceof FlowMember || value instanceof FlowGroup ? value.target : undefined,
  )
  return { ...taken, codec }
}

/** An input with members in it is bound by name only: the worker checks it once the results are there. */
function pack({ input, task }: CalledMember, codec: CodecName): ReturnType<AnyContract['pack']> {
  const hasMembers = keysInInput(input).length > 0
  if (typeof task === 'string') {
    if (Array.isArray(input)) return { args: input, kwargs: {} }
    throw new ArgumentsError(`flow.call('${task}'): expected the arguments as an array, got ${typeof input}`)
  }
  if (!hasMembers) return task.pack(input as never, codec)
  if (task.packUnchecked) return task.packUnchecked(input, codec)
  throw new OptionsError(`flow.call(${task.name}): expected a task, a contract or the name of a function`)
}
