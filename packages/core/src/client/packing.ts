import type { CodecName } from '@arq-ts/protocol/jobs'
import { ArgumentsError, OptionsError } from '../errors.ts'
import type { EnqueueOptions } from '../options/enqueue.ts'
import type { AnyContract } from '../tasks/contract.ts'

type Packed = ReturnType<AnyContract['pack']>

/** A call of a function by its name. @throws ArgumentsError */
export function byName(functionName: string, args: unknown, options: EnqueueOptions): Packed {
  if (Array.isArray(args)) return { args, kwargs: options.kwargs ?? {} }
  throw new ArgumentsError(
    `enqueue('${functionName}'): expected the arguments as an array, got ${typeof args}; keywords go into \`kwargs\``,
  )
}

/** A call of a task or a contract. @throws ArgumentsError, OptionsError */
export function ofTask(task: AnyContract, input: unknown, options: EnqueueOptions, codec: CodecName): Packed {
  if (options.kwargs === undefined) return task.pack(input as never, codec)
  throw new OptionsError(`enqueue(${task.name}): \`kwargs\` is for functions enqueued by name; put them into the input`)
}
