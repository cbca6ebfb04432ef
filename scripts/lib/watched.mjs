// A program that is ended when it prints nothing for too long, with all that it has started.
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

/** Time that a program has to end after SIGTERM, in ms. */
const GRACE_MS = 10_000
/** Time that its pipes are read past its end, in ms: a process that it leaves behind may hold them open. */
const PIPE_MS = 2_000

/** running → (silent for `silenceMs`: SIGTERM, then SIGKILL, to its group) → ended */
export class Watched {
  /** Resolves with `{ code, isSilent }`: its exit code, never 0 where it was ended for its silence. */
  ended
  #child
  #silence
  #isSilent = false

  /** @param {{ cwd: string, env: NodeJS.ProcessEnv, silenceMs: number, graceMs?: number, print: (stream: 'stdout' | 'stderr', piece: string | Buffer) => void }} options */
  constructor(command, args, { cwd, env, silenceMs, graceMs = GRACE_MS, print }) {
    // A group of its own, which a signal reaches as a whole.
    this.#child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const listen = () => {
      clearTimeout(this.#silence)
      this.#silence = setTimeout(() => this.#endSilent(graceMs), silenceMs)
    }
    for (const stream of ['stdout', 'stderr'])
      this.#child[stream].on('data', (piece) => {
        print(stream, piece)
        if (!this.#isSilent) listen()
      })
    listen()
    this.ended = this.#end(print)
  }

  /** Sends a signal to it and to what it has started. */
  kill(signal) {
    const { pid } = this.#child
    if (pid === undefined) return // it never started
    try {
      process.kill(-pid, signal)
    } catch {
      // gone
    }
  }

  #endSilent(graceMs) {
    this.#isSilent = true
    this.kill('SIGTERM')
    this.#silence = setTimeout(() => this.kill('SIGKILL'), graceMs)
  }

  #end(print) {
    const closed = new Promise((done) => this.#child.on('close', done))
    return new Promise((resolve) => {
      const end = (code) => {
        clearTimeout(this.#silence)
        resolve({ code: this.#isSilent ? code || 1 : code, isSilent: this.#isSilent })
      }
      this.#child.on('error', (error) => {
        print('stderr', `${error.message}\n`)
        end(127)
      })
      this.#child.on('exit', async (code, signal) => {
        await Promise.race([closed, sleep(PIPE_MS)])
        // What it has started has no one left to report to.
        if (this.#isSilent) this.kill('SIGKILL')
        this.#child.stdout.destroy()
        this.#child.stderr.destroy()
        end(code ?? (signal ? 1 : 0))
      })
    })
  }
}
