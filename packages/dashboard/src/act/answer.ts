import type { ActAnswer } from '../api/types.ts'

/** The answer to an act that offers no undo. */
export function answer(done: boolean, message: string, jobId: string | null = null): ActAnswer {
  return { done, message, jobId, undo: null }
}

/** The options that have a value. */
export function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}
