import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { packageFolder } from '../version.ts'

let early: ChildProcess | undefined

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
  const script = import.meta.url.endsWith('.ts') ? 'src/worker/child.ts' : 'dist/worker/child.js'
  return fork(join(packageFolder, script), [], { serialization: 'advanced' })
}
