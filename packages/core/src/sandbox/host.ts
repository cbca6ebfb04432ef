import { fork } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { requireFrom } from '../require-from.ts'
import { nodeFlags } from './node-flags.ts'
import { readSigned } from './messages.ts'
import type { FromSandbox, ToSandbox } from './messages.ts'
import type { HostEnd } from './ends.ts'
import { unpackError } from './crossing.ts'
import type { Sandbox } from './sandbox.ts'

/** A started thread or process: started → ended. */
export interface Host {
  send(message: ToSandbox): void
  /** Ends it for certain. `reason` goes into the error of its job. */
  kill(reason: string): void
}

export interface HostEvents {
  message(message: FromSandbox): void
  /** Called once, when it is gone. */
  end(end: HostEnd): void
}

/** Pace of looking at the memory of a process, in ms. */
const MEMORY_WATCH_MS = 250
/** Memory of V8 itself that a bound does not count: the young generation, compiled code. */
const OVERHEAD_MIB = 64
const KIB = 1024
const MIB = 1024 ** 2
/** Time in which the rest of its standard error arrives once a process has exited, in ms. */
const DRAIN_MS = 250
/** Characters of standard error in which the report of a full heap is looked for. */
const TAIL = 4_096

export function startHost(sandbox: Sandbox, name: string, events: HostEvents): Host {
  return sandbox.kind === 'thread' ? startThread(sandbox, name, events) : startProcess(sandbox, events)
}

/** The module that threads and processes begin with, as it is built. By the package's name, so that a bundled worker finds it. */
function entry(): string {
  const manifest = requireFrom(import.meta.url).resolve('@arq-ts/core/package.json')
  return join(dirname(manifest), 'dist/sandbox/entry.js')
}

function startThread({ memoryMb }: Sandbox, name: string, events: HostEvents): Host {
  const thread = new Worker(entry(), {
    name: `sandbox ${name}`,
    execArgv: nodeFlags(process.execArgv),
    ...(memoryMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }),
  })
  const end: HostEnd = { exitCode: null, signal: null, error: undefined, isOutOfMemory: false, killedFor: undefined }
  thread.on('message', (crossed: unknown) => {
    const message = readSigned(crossed)
    if (message === undefined) return
    if (message.type === 'crashed') end.error = unpackError(message.error)
    else if (message.type === 'too large') {
      end.isOutOfMemory = true
      void thread.terminate()
    } else events.message(message)
  })
  thread.on('error', (error: Error & { code?: string }) => {
    if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') end.isOutOfMemory = true
    else end.error ??= error
  })
  thread.once('exit', (exitCode) => events.end({ ...end, exitCode }))
  return {
    send: (message) => thread.postMessage(message),
    kill(reason) {
      end.killedFor ??= reason
      void thread.terminate()
    },
  }
}

function startProcess({ memoryMb }: Sandbox, events: HostEvents): Host {
  const heap = memoryMb === undefined ? [] : [`--max-old-space-size=${memoryMb}`]
  const child = fork(entry(), [], {
    serialization: 'advanced',
    execArgv: [...nodeFlags(process.execArgv), ...heap],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  const end: HostEnd = { exitCode: null, signal: null, error: undefined, isOutOfMemory: false, killedFor: undefined }
  let tail = ''
  // Without a file descriptor for it, there is no standard error.
  child.stderr?.on('data', (bytes: Buffer) => {
    tail = (tail + bytes.toString('latin1')).slice(-TAIL)
    process.stderr.write(bytes)
  })
  const watch = memoryMb === undefined ? undefined : new MemoryWatch(child.pid, memoryMb)
  const kill = () => void child.kill('SIGKILL')
  child.on('message', (crossed: unknown) => {
    const message = readSigned(crossed)
    if (message === undefined) return
    if (message.type === 'crashed') end.error = unpackError(message.error)
    else events.message(message)
    if (message.type === 'ready')
      watch?.start(() => {
        end.isOutOfMemory = true
        kill()
      })
  })
  let isOver = false
  let drain: NodeJS.Timeout | undefined
  const over = (exitCode: number | null, signal: NodeJS.Signals | null) => {
    if (isOver) return
    isOver = true
    clearTimeout(drain)
    ;(child.stderr as Socket | null)?.unref()
    watch?.stop()
    // V8 reports a full heap on standard error, and aborts.
    const isOutOfMemory = end.isOutOfMemory || (exitCode !== 0 && tail.includes('heap out of memory'))
    events.end({ ...end, exitCode, signal, isOutOfMemory })
  }
  child.once('close', over)
  // A program that the job started may hold standard error open after the process, as long as the program runs.
  child.once('exit', (...how) => (drain = setTimeout(over, DRAIN_MS, ...how)))
  child.once('error', (error) => {
    end.error ??= error
    if (child.pid === undefined) over(null, null)
  })
  return {
    send: (message) => {
      if (child.connected) child.send(message, () => {}) // one that is gone ends, and says so
    },
    kill(reason) {
      end.killedFor ??= reason
      kill()
    },
  }
}

/** Watches what a process has, from outside: code that blocks its event loop is watched, too. */
class MemoryWatch {
  readonly #file: string
  readonly #boundBytes: number
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(pid: number | undefined, memoryMb: number) {
    this.#file = `/proc/${pid}/status`
    this.#boundBytes = (memoryMb + OVERHEAD_MIB) * MIB
  }

  start(onTooLarge: () => void): void {
    void this.#read().then((baseBytes) => {
      if (baseBytes === undefined || this.#isStopped) return
      this.#timer = setInterval(() => {
        void this.#read().then((bytes = 0) => {
          if (bytes - baseBytes > this.#boundBytes) onTooLarge()
        })
      }, MEMORY_WATCH_MS)
      this.#timer.unref()
    })
  }

  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
  }

  /** Resident bytes; undefined where the system has no such file: only Linux has. */
  async #read(): Promise<number | undefined> {
    const text = await readFile(this.#file, 'utf8').catch(() => '')
    const kib = /^VmRSS:\s*(\d+) kB$/m.exec(text)?.[1]
    return kib === undefined ? undefined : Number(kib) * KIB
  }
}
