/** The beginning of a sandbox: loads the module, then runs one job after the other. */
import { format } from 'node:util'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { Contexts } from './child-context.ts'
import { packError, problemOf, unpackError } from './crossing.ts'
import { signed } from './messages.ts'
import type { FromSandbox, ToSandbox } from './messages.ts'
import { Pieces } from './pieces.ts'

const MIB = 1024 ** 2
const MEMORY_WATCH_MS = 250
const PARENT_WATCH_MS = 1_000

interface Loaded {
  handler: (ctx: object, ...args: readonly unknown[]) => unknown
  extra: object
  onStop: (() => unknown) | undefined
}

let loaded: Loaded | undefined
const contexts = new Contexts(post)
let current: { run: number; controller: AbortController; pieces: Pieces } | undefined

function post(message: FromSandbox): void {
  if (parentPort) parentPort.postMessage(signed(message))
  else if (process.connected) process.send!(signed(message))
}

/** Ends the thread or process once what was posted is on its way. */
function endAfter(message: FromSandbox | undefined, exitCode: number): void {
  if (parentPort) {
    if (message) parentPort.postMessage(signed(message))
    process.exit(exitCode)
  }
  if (!message || !process.connected) process.exit(exitCode)
  process.send!(signed(message), undefined, undefined, () => process.exit(exitCode))
}

async function load({ export: name, memoryMb, module }: Extract<ToSandbox, { type: 'load' }>): Promise<void> {
  try {
    const exported = (await import(module)) as Record<string, unknown>
    const handler = exported[name]
    if (typeof handler !== 'function')
      throw new Error(
        `it has no function as its export '${name}', it has: ${Object.keys(exported).join(', ') || 'none'}`,
      )
    const { onStart, onStop } = exported
    const extra = typeof onStart === 'function' ? await (onStart as () => unknown)() : undefined
    loaded = {
      handler: handler as Loaded['handler'],
      extra: typeof extra === 'object' && extra !== null ? extra : {},
      onStop: typeof onStop === 'function' ? (onStop as () => unknown) : undefined,
    }
    if (memoryMb !== undefined && !isMainThread) watchMemory(memoryMb)
    post({ type: 'ready' })
  } catch (error) {
    endAfter({ type: 'refused', error: packError(error) }, 1)
  }
}

async function run({ run, job, args, forwarded, levels }: Extract<ToSandbox, { type: 'run' }>): Promise<void> {
  const controller = new AbortController()
  const pieces = new Pieces((piece, value) => post({ type: 'emit', run, piece, value }))
  current = { run, controller, pieces }
  try {
    const { extra, handler } = loaded!
    const value = await handler(
      contexts.make(run, job, controller.signal, extra, { forwarded, levels, pieces }),
      ...args,
    )
    const problem = problemOf(value)
    post(problem === undefined ? { type: 'returned', run, value } : { type: 'unfit', run, problem })
  } catch (error) {
    post({ type: 'threw', run, error: packError(error) })
  } finally {
    pieces.end()
  }
}

async function stop(): Promise<void> {
  try {
    await loaded?.onStop?.()
  } catch (error) {
    process.stderr.write(`the onStop of a sandbox failed: ${format(error)}\n`)
  }
  endAfter(undefined, 0)
}

function hear(message: ToSandbox): void {
  if (message.type === 'load') void load(message)
  else if (message.type === 'run') void run(message)
  else if (message.type === 'stop') void stop()
  else if (message.run !== current?.run) return
  else if (message.type === 'abort') current.controller.abort(unpackError(message.reason))
  else current.pieces.answered(message.piece, message.error && unpackError(message.error))
}

/** Memory outside of V8's heap, buffers above all, which no limit of a thread counts. */
function watchMemory(memoryMb: number): void {
  const used = () => {
    const { external, heapUsed } = process.memoryUsage()
    return heapUsed + external
  }
  const baseBytes = used()
  const timer = setInterval(() => {
    if (used() - baseBytes > memoryMb * MIB) post({ type: 'too large' })
  }, MEMORY_WATCH_MS)
  timer.unref()
}

/** Ends this process when its worker is gone, also while the handler computes and hears nothing. */
function endWithParent(): void {
  process.on('disconnect', () => process.exit(0))
  // A terminal and a service manager send these to every process; the worker says what ends here.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
  const watch = `const { ppid } = process
    setInterval(() => process.ppid === ppid || process.kill(process.pid, 'SIGKILL'), ${PARENT_WATCH_MS})`
  const watcher = new Worker(watch, { eval: true, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 8 } })
  watcher.on('error', () => {}) // the end of the channel is still noticed
  watcher.unref()
}

if (parentPort) parentPort.on('message', hear)
else {
  process.on('message', hear)
  process.on('uncaughtException', (error) => endAfter({ type: 'crashed', error: packError(error) }, 1))
  endWithParent()
}
