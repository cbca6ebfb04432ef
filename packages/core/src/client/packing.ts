import type { CodecName } from '@arq-ts/protocol/jobs'
import { ArgumentsError, OptionsError } from '../errors.ts'
import { gotValue } from '../options/given-value.ts'
import type { EnqueueOptions } from '../options/enqueue.ts'
import type { Due } from '../redis/broker.ts'
import type { AnyContract } from '../tasks/contract.ts'

/** The name on the wire of a task, or of a function that is given by it. @throws OptionsError */
export function functionNameOf(task: AnyContract | string): string {
  if (typeof (task as Partial<AnyContract> | null)?.pack === 'function') return (task as AnyContract).name
  if (typeof task === 'string' && task !== '') return task
  const expected = 'a task made by defineTask(), a contract, or the name of a function'
  throw new OptionsError(`enqueue: Expected \`task\` to be ${expected}, ${gotValue(task)}`)
}

/** A call of a contract by its schema, or of a name as it is given. @throws ArgumentsError, OptionsError */
export function packCall(
  task: AnyContract | string,
  input: unknown,
  options: Pick<EnqueueOptions, 'kwargs'>,
  codec: CodecName,
): ReturnType<AnyContract['pack']> {
  return typeof task === 'string'
    ? byName(task, input === undefined ? [] : input, options)
    : ofTask(task, input, options, codec)
}

/** A call of a function by its name. @throws ArgumentsError */
function byName(
  functionName: string,
  args: unknown,
  options: Pick<EnqueueOptions, 'kwargs'>,
): ReturnType<AnyContract['pack']> {
  if (Array.isArray(args)) return { args, kwargs: options.kwargs ?? {} }
  throw new ArgumentsError(
    `enqueue('${functionName}'): expected the arguments as an array, ${gotValue(args)}; keywords go into \`kwargs\``,
  )
}

/** A call of a task or a contract. @throws ArgumentsError, OptionsError */
function ofTask(
  task: AnyContract,
  input: unknown,
  options: Pick<EnqueueOptions, 'kwargs'>,
  codec: CodecName,
): ReturnType<AnyContract['pack']> {
  if (options.kwargs === undefined) return task.pack(input as never, codec)
  throw new OptionsError(`enqueue(${task.name}): \`kwargs\` is for functions enqueued by name; put them into the input`)
}

/** The due time of a call. */
export function dueOf(options: EnqueueOptions): Due {
  const { deferUntil, deferByMs } = options
  if (deferUntil !== undefined) return { at: Number(deferUntil) }
  return { in: deferByMs ?? 0 }
}
