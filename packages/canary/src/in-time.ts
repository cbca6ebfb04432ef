/** The answer of a call, which may throw at once, or never end. @throws the error of `late` when its time is over. */
export async function inTime<T>(timeoutMs: number, call: () => Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), timeoutMs)
  })
  try {
    return await Promise.race([(async () => call())(), over])
  } finally {
    clearTimeout(timer)
  }
}
