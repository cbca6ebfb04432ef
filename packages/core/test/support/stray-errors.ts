import { afterAll, beforeAll } from 'vitest'

/** Collects the errors that nobody catches, in any test of the file. `noted`: what is kept of one; default the error itself. */
export function collectStrayErrors(noted: (error: unknown) => unknown = (error) => error): unknown[] {
  const stray: unknown[] = []
  const onStray = (error: unknown) => stray.push(noted(error))
  beforeAll(() => {
    process.on('unhandledRejection', onStray)
    process.on('uncaughtException', onStray)
  })
  afterAll(() => {
    process.off('unhandledRejection', onStray)
    process.off('uncaughtException', onStray)
  })
  return stray
}
