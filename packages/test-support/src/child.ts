import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A process of a test, with its output by lines. Killed at the latest when the test process ends. */
export class Child {
  readonly process: ChildProcess
  /** Standard output and error so far, line by line. */
  readonly lines: string[] = []
  /** Resolves with the exit code, or the signal's name. */
  readonly exited: Promise<number | NodeJS.Signals>
  readonly #waiters = new Set<() => void>()
  #ended = false

  constructor(
    command: string,
    args: readonly string[],
    options: { env?: NodeJS.ProcessEnv; cwd?: string; stdin?: boolean } = {},
  ) {
    this.process = spawn(command, args, {
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: [options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    })
    alive.add(this)
    recent.push({ child: this, command: [command, ...args].join(' '), startedMs: Date.now() })
    if (recent.length > REMEMBERED) recent.shift()
    for (const stream of [this.process.stdout, this.process.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#take(line))
    }
    this.exited = new Promise((resolve) => {
      this.process.on('error', (error) => {
        this.#take(`cannot start ${command}: ${error.message}`)
        this.#end()
        resolve(127)
      })
      this.process.on('close', (code, signal) => {
        this.#end()
        resolve(signal ?? code ?? 0)
      })
    })
  }

  get pid(): number {
    return this.process.pid ?? 0
  }

  get hasEnded(): boolean {
    return this.#ended
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (!this.#ended) this.process.kill(signal)
  }

  /** Stops the process by SIGTERM and waits for its end. */
  async stop(): Promise<number | NodeJS.Signals> {
    this.kill('SIGCONT')
    this.kill('SIGTERM')
    return this.exited
  }

  write(line: string): void {
    this.process.stdin?.write(`${line}\n`)
  }

  /** The first line from `from` on that fits; rejects when the process ends or `timeoutMs` passes without it. */
  async line(pattern: RegExp, options: { timeoutMs?: number; from?: number } = {}): Promise<string> {
    const { timeoutMs = 20_000, from = 0 } = options
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const found = this.lines.slice(from).find((line) => pattern.test(line))
      if (found !== undefined) return found
      const left = deadline - performance.now()
      const tail = () => `\n${this.lines.slice(-20).join('\n')}`
      if (this.#ended) throw new Error(`the process ended without a line like ${String(pattern)}:${tail()}`)
      if (left <= 0) throw new Error(`no line like ${String(pattern)} within ${timeoutMs} ms:${tail()}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, left)
        const waiters = this.#waiters
        waiters.add(done)
        function done(): void {
          clearTimeout(timer)
          waiters.delete(done)
          resolve()
        }
      })
    }
  }

  #take(line: string): void {
    this.lines.push(line)
    for (const wake of this.#waiters) wake()
  }

  #end(): void {
    this.#ended = true
    alive.delete(this)
    for (const wake of this.#waiters) wake()
  }
}

const alive = new Set<Child>()
/** The last processes that were started, for the report of a test that fails. */
const recent: { child: Child; command: string; startedMs: number }[] = []
const REMEMBERED = 20
const SHOWN_LINES = 15

/** Describes the processes that were started since then: the command, its end, and the last lines of its output. */
export function describeChildrenSince(timeMs: number): string[] {
  return recent
    .filter(({ startedMs }) => startedMs >= timeMs)
    .map(({ child, command }) => {
      const lines = child.lines.slice(-SHOWN_LINES).map((line) => `  ${line.slice(0, 500)}`)
      return [`${command.slice(0, 300)} (pid ${child.pid}, ${child.hasEnded ? 'ended' : 'running'})`, ...lines].join(
        '\n',
      )
    })
}

process.on('exit', () => {
  for (const child of alive) child.process.kill('SIGKILL')
})
