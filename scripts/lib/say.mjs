// Words for a person at a terminal: short lines on standard error, in colour where that is wanted.

const colours = process.env.FORCE_COLOR
  ? process.env.FORCE_COLOR !== '0'
  : process.stderr.isTTY && !process.env.NO_COLOR
const paint = (code) => (text) => (colours ? `\u001b[${code}m${text}\u001b[0m` : String(text))

export const bold = paint(1)
export const dim = paint(2)
export const red = paint(31)
export const green = paint(32)
export const yellow = paint(33)
export const cyan = paint(36)

export function say(text) {
  process.stderr.write(`${text}\n`)
}

/** Says what is done now, does it, and says how long it took when that was long. */
export async function step(what, work) {
  const before = performance.now()
  say(`${cyan('•')} ${what}`)
  const result = await work()
  const seconds = (performance.now() - before) / 1000
  if (seconds > 5) say(dim(`  done in ${seconds.toFixed(0)} s`))
  return result
}
