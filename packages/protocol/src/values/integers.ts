/** An integer as handlers get it: a number where it is safe, else a bigint. */
export function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** The array index below 1,000 that a key is, or -1: V8 reserves slots up to it, and for larger ones makes a table. */
export function smallIndex(key: string): number {
  if (key.length > 3 || key.length === 0) return -1
  let index = 0
  for (let i = 0; i < key.length; i++) {
    const digit = key.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return -1
    index = index * 10 + digit
  }
  return index
}
