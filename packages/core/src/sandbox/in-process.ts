import type { JobContext } from '../tasks/context.ts'
import type { Sandbox } from './sandbox.ts'

type Handler = (ctx: JobContext, ...args: readonly unknown[]) => unknown

/** The handler of a sandboxed task outside of a worker, for tests: its module, loaded into this process at its first call. */
export function inProcessHandler({ export: name, module }: Sandbox): Handler {
  let loading: Promise<{ handler: Handler; extra: unknown }> | undefined
  const load = async () => {
    const exported = (await import(module)) as Record<string, unknown> & { onStart?: () => unknown }
    const handler = exported[name]
    if (typeof handler !== 'function') throw new TypeError(`module "${module}" has no function as its export '${name}'`)
    return { handler: handler as Handler, extra: await exported.onStart?.() }
  }
  return async (ctx, ...args) => {
    loading ??= load()
    const { extra, handler } = await loading
    return handler(Object.assign(ctx, extra), ...args)
  }
}
