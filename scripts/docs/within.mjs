/**
 * Waits for work, at most `limitMs`. The limit ends with the work: none is left to fail what comes later.
 *
 * @throws Error that names the work when it takes longer
 */
export async function within(limitMs, name, work) {
  let timer
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} takes more than ${limitMs / 1000} s`)), limitMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
