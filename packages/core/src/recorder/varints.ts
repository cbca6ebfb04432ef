/** Non-negative integers in seven bits per byte, the lowest first, as the merge script reads and writes them. */

/** Bytes that an integer takes. */
export function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++
  return size
}

/** Appends integers of at most 2^53 - 1; anything else counts as 0. */
export function writeVarints(bytes: number[], values: Iterable<number>): void {
  for (const value of values) {
    let rest = Number.isSafeInteger(value) && value > 0 ? value : 0
    while (rest >= 128) {
      bytes.push((rest % 128) + 128)
      rest = Math.floor(rest / 128)
    }
    bytes.push(rest)
  }
}

/** Reads every integer from `at` on; an incomplete last one is left out. */
export function readVarints(bytes: Uint8Array, at: number): number[] {
  const values: number[] = []
  let value = 0
  let unit = 1
  for (; at < bytes.length; at++) {
    const byte = bytes[at]!
    value += (byte % 128) * unit
    if (byte >= 128) unit *= 128
    else {
      values.push(value)
      value = 0
      unit = 1
    }
  }
  return values
}
