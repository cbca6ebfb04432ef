import type { Middleware } from './middleware.ts'

type Side = 'enqueue' | 'run' | 'observe'

const NONE: readonly never[] = []

/**
 * Returns one side of the middleware that has something to do at the moment, in its order. While none has, it is always
 * the same empty list: a call then costs no more than the question.
 */
export function activeLayers<S extends Side>(
  middleware: readonly Middleware[],
  side: S,
): () => readonly NonNullable<Middleware[S]>[] {
  const those = middleware.filter((each) => each[side])
  const layersOf = (some: readonly Middleware[]) => some.map((each) => each[side] as NonNullable<Middleware[S]>)
  if (those.every(({ isActive }) => isActive === undefined)) {
    const always = layersOf(those)
    return () => always
  }
  return () => (those.some(isNeeded) ? layersOf(those.filter(isNeeded)) : NONE)
}

/** One whose question throws is asked to do its part: what is wrong with it shows there. */
function isNeeded({ isActive }: Middleware): boolean {
  try {
    return isActive === undefined || isActive()
  } catch {
    return true
  }
}
