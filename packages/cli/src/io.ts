/** The streams of one call of the command. Tests hand in their own. */
export interface Io {
  stdout: Sink
  stderr: Sink
  stdin: { isTTY?: boolean }
  env: NodeJS.ProcessEnv
  /** The folder that it runs in. */
  cwd: string
}

/** A stream that text goes to; `columns` is the width of its terminal. */
export interface Sink {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

/** Streams of the process. */
export const processIo: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  cwd: process.cwd(),
}

/** The width that a table may have: that of the terminal, or what `COLUMNS` says; null for a pipe, which has none. */
export function widthOf(sink: Sink, env: NodeJS.ProcessEnv): number | null {
  if (sink.isTTY && sink.columns) return Math.max(20, sink.columns)
  const columns = Number(env.COLUMNS)
  return Number.isSafeInteger(columns) && columns >= 20 ? columns : null
}
