/** Stacks of Python and JavaScript, in frames. Pure. */

/** A frame: its lines, and whether it lies in a library. */
export interface Frame {
  lines: string[]
  library: boolean
}

const foreign =
  /site-packages|dist-packages|node_modules|node:|\/lib\/python|<frozen |\(native\)|[\\/]@arq-ts[\\/]|[\\/]arq[\\/]/

/** The frames of a stack, without the line that names the error. */
export function frames(stack: string): Frame[] {
  const found: Frame[] = []
  for (const line of stack.split('\n')) {
    const python = /^\s*File "/.test(line)
    const javascript = /^\s*at /.test(line)
    if (python || javascript) found.push({ lines: [line.trim()], library: foreign.test(line) })
    else if (found.length > 0 && /^\s{3,}\S/.test(line)) found.at(-1)!.lines.push(line)
  }
  return found
}

/** The frame to look at first: the last of the own code for Python, the first for JavaScript. */
export function culprit(all: readonly Frame[]): Frame | undefined {
  const own = all.filter(({ library }) => !library)
  return all[0]?.lines[0]?.startsWith('File') ? own.at(-1) : own[0]
}

/** Type and message of an error's line. */
export function typeAndMessage(error: string): [string, string] {
  const match = /^([\w.$]+)(?:: ([^]*)|\(([^]*)\))?$/.exec(error)
  return match ? [match[1]!, match[2] ?? match[3] ?? ''] : ['', error]
}
