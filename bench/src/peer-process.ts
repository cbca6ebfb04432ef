import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Start of a peer: its program, and its arguments before the role. */
export interface Launch {
  command: string
  args: readonly string[]
  /** Options for this peer alone, such as arq's poll delay. */
  options?: object
}

/** Report of a worker process. */
export interface Report {
  done: number
  /** Time of its last job's end, on the clock that all processes share. */
  us: number
  cpuUs: number
  /** Peak resident bytes. */
  rss: number
}

const STOP_MS = 15_000

/** One process that plays one role of bench/README.md. */
export class PeerProcess {
  readonly startedAt = performance.now()
  readonly ended: Promise<number | null>
  /** Every report so far, oldest first. */
  readonly reports: Report[] = []
  readonly #child: ChildProcess
  readonly #lines: Record<string, unknown>[] = []
  readonly #complaints: string[] = []
  #wake: (() => void)[] = []

  constructor(launch: Launch, role: string, options: object) {
    const all = JSON.stringify({ ...options, ...launch.options })
    this.#child = spawn(launch.command, [...launch.args, role, all], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, NODE_ENV: 'production' },
    })
    this.#child.stdin!.on('error', () => {}) // it may have ended
    createInterface({ input: this.#child.stderr! }).on('line', (line) => this.#complaints.push(line))
    const read = createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#take(line))
    const closed = new Promise<void>((resolve) => read.on('close', resolve))
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('exit', (code) => void closed.then(() => resolve(code)).then(() => this.#notify()))
    })
    this.ended.catch(() => this.#notify())
    running.add(this)
    void this.ended.catch(() => {}).finally(() => running.delete(this))
  }

  /** The last line that is no report. */
  get answer(): Record<string, unknown> | undefined {
    return this.#lines.at(-1)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** The first line with this field. @throws when the process ends without it, or after `timeoutMs` */
  async line<T = Record<string, unknown>>(field: string, timeoutMs: number): Promise<T> {
    return this.until(() => this.#lines.find((line) => field in line), timeoutMs, field) as Promise<T>
  }

  /** Waits until `look`, called after each line, finds something. */
  async until<T>(look: () => T | undefined, timeoutMs: number, what: string): Promise<T> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      if (this.#child.exitCode !== null || this.#child.signalCode !== null || performance.now() > deadline) {
        await Promise.race([this.ended.catch(() => {}), new Promise((resolve) => setTimeout(resolve, 200))])
        const late = look()
        if (late !== undefined) return late
        const how = performance.now() > deadline ? `not within ${timeoutMs} ms` : 'it ended'
        throw new Error(
          `no ${what} from ${this.#child.spawnargs.join(' ')}: ${how}\n${this.#complaints.slice(-8).join('\n')}`,
        )
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(1, deadline - performance.now()))
        this.#wake.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  /** Stops a worker and waits for its end; returns the latencies it saw, in µs. */
  async stop(): Promise<number[]> {
    this.#child.stdin!.end('stop\n')
    const timer = setTimeout(() => this.kill(), STOP_MS)
    await this.ended
    clearTimeout(timer)
    const last = this.#lines.find((line) => 'latenciesUs' in line) as { latenciesUs: number[] } | undefined
    return last?.latenciesUs ?? []
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #take(line: string): void {
    let read: Record<string, unknown>
    try {
      read = JSON.parse(line) as Record<string, unknown>
    } catch {
      this.#complaints.push(line)
      return
    }
    if ('done' in read) this.reports.push(read as unknown as Report)
    else this.#lines.push(read)
    this.#notify()
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

const running = new Set<PeerProcess>()
process.on('exit', () => running.forEach((each) => each.kill()))

/** Plays a role that ends by itself; returns the line it prints. */
export async function play<T>(launch: Launch, role: string, options: object, timeoutMs: number): Promise<T> {
  const child = new PeerProcess(launch, role, options)
  try {
    const line = await child.until(() => child.answer as T | undefined, timeoutMs, `answer to ${role}`)
    await child.ended
    return line
  } finally {
    child.kill()
  }
}
