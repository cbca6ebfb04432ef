import type { ChildProcess, fork } from 'node:child_process'
import { createRequire } from 'node:module'

let early: ChildProcess | undefined
let script: string

/** Names the module of a worker process. */
export function setChildScript(path: string): void {
  script = path
}

/** Starts a worker process before it is known what it is to do: it reads its modules while we read ours. */
export function forkEarly(): void {
  early = forkChild()
  early.on('error', () => {}) // the one that is forked instead reports it
}

/** Ends the one that was started early and that nobody took. */
export function endEarly(): void {
  early?.kill('SIGKILL')
  early = undefined
}

/** A worker process that waits for orders; the one that was started early, if it is there. */
export function takeChild(): ChildProcess {
  const child = early
  early = undefined
  return child?.connected ? child : forkChild()
}

function forkChild(): ChildProcess {
  // Not by `import`, which every command would wait for. Node 22.0 to 22.2 has no `process.getBuiltinModule`.
  const load = createRequire(import.meta.url)
  const node = load('node:child_process') as { fork: typeof fork }
  return node.fork(script, [], { serialization: 'advanced' })
}
