import { MiddlewareError } from '../errors.ts'

/** One layer around a call. */
export type Layer<Subject> = (subject: Subject, next: () => Promise<never>) => unknown

/**
 * Calls the core within the layers, the first of which is the outermost, and gives what that one returns. `what` names
 * the call in messages.
 */
export async function callWithin<Subject>(
  layers: readonly Layer<Subject>[],
  subject: Subject,
  core: () => unknown,
  what: string,
): Promise<unknown> {
  const enter = async (depth: number): Promise<unknown> => {
    const layer = layers[depth]
    if (!layer) return core()
    let isEntered = false
    const next = () => {
      // Thrown, not rejected: a layer that does not await `next` would not notice.
      if (isEntered) throw new MiddlewareError(`${what}: a middleware called \`next\` twice; call it once`)
      isEntered = true
      const inner = enter(depth + 1)
      // A layer need not await it, and an error that nobody awaits would end the process.
      inner.catch(() => {})
      return inner as Promise<never>
    }
    return layer(subject, next)
  }
  return enter(0)
}
