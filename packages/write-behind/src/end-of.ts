/**
 * The result of a call. Where the call continues for `graceMs` after the signal has fired, it is left alone, and the
 * signal's reason is thrown.
 */
export function endOf<T>(signal: AbortSignal, graceMs: number, call: () => T | Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    const onAbort = () => {
      timer = setTimeout(() => reject(signal.reason as Error), graceMs)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    void (async () => {
      try {
        resolve(await call())
      } catch (error) {
        reject(error as Error)
      } finally {
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
      }
    })()
  })
}
