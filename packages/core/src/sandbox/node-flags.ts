const WITH_VALUE: ReadonlySet<string> = new Set([
  '--import',
  '--require',
  '-r',
  '--loader',
  '--experimental-loader',
  '--conditions',
  '-C',
])
const ALONE: ReadonlySet<string> = new Set([
  '--enable-source-maps',
  '--experimental-strip-types',
  '--experimental-transform-types',
  '--preserve-symlinks',
])

/**
 * The flags of Node that decide how modules load: a sandbox reads TypeScript where its worker does. The others are the
 * worker's own: a port of an inspector, the size of a heap.
 */
export function nodeFlags(execArgv: readonly string[]): string[] {
  const flags: string[] = []
  for (let i = 0; i < execArgv.length; i++) {
    const flag = execArgv[i]!
    const name = flag.split('=', 1)[0]!
    if (ALONE.has(flag)) flags.push(flag)
    else if (!WITH_VALUE.has(name)) continue
    else if (flag !== name) flags.push(flag)
    else if (execArgv[i + 1] !== undefined) flags.push(flag, execArgv[++i]!)
  }
  return flags
}
