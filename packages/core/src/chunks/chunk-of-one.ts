import type { JobContext } from '../tasks/context.ts'
import type { AnyChunk } from './chunk.ts'
import { callChunk, ChunkMember } from './chunk-call.ts'

/** The handler of a chunked task for one job alone, outside of a worker. */
export function chunkOfOne(functionName: string, chunk: AnyChunk) {
  return (ctx: JobContext, ...args: readonly unknown[]): Promise<unknown> => {
    const job = new ChunkMember(ctx, chunk.inputOf(args))
    void callChunk(functionName, chunk, [job], ctx.log)
    return job.ended
  }
}
