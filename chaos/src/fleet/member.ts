import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** One process of the fleet. Standard error goes to a file. */
export class Member {
  readonly worker: string
  /** Resolves when it says that it is ready, or has ended. */
  readonly ready: Promise<void>
  /** Resolves with the exit code or the signal. */
  readonly ended: Promise<string>
  /** The fault that is about to end it; empty while none is. */
  cause = ''
  readonly #child: ChildProcess
  readonly #logFile: string

  constructor(worker: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv, logFile: string) {
    this.worker = worker
    this.#logFile = logFile
    const log = openSync(logFile, 'a')
    this.#child = spawn(command, args, { env, stdio: ['ignore', 'pipe', log] })
    alive.add(this.#child)
    this.ended = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve(`cannot start: ${error.message}`))
      this.#child.on('exit', (code, signal) => resolve(signal ?? String(code)))
    })
    void this.ended.then(() => alive.delete(this.#child))
    const ready = new Promise<void>((resolve) => {
      createInterface({ input: this.#child.stdout! }).on('line', (line) => line === 'ready' && resolve())
    })
    this.ready = Promise.race([ready, this.ended.then(() => {})])
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resident memory now, in bytes; undefined where the system does not report it. */
  get rssBytes(): number | undefined {
    try {
      return Number(readFileSync(`/proc/${this.#child.pid}/statm`, 'latin1').split(' ')[1]) * 4_096
    } catch {
      return undefined
    }
  }

  /** The last lines it wrote to standard error. */
  lastWords(): string {
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-12).join('\n')
  }
}

const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})
