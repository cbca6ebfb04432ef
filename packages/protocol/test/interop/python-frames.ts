import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'

/** A Python process that is spoken to in frames: four bytes of length, big endian, then the bytes. */
export class PythonFrames {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #stdout: AsyncIterator<Buffer>
  readonly #errors: Buffer[] = []
  #pending: Buffer = Buffer.alloc(0)

  constructor(python: string, args: string[]) {
    this.#child = spawn(python, args)
    this.#child.stderr.on('data', (chunk: Buffer) => this.#errors.push(chunk))
    this.#child.stdin.on('error', () => {
      // It has ended; reading says so.
    })
    this.#stdout = this.#child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  }

  /** Fire and forget: replies are read in the order of the frames. */
  write(frame: Uint8Array): void {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(frame.length)
    const { stdin } = this.#child
    if (stdin.writableCorked === 0) {
      // One write for all frames of a turn.
      stdin.cork()
      process.nextTick(() => stdin.uncork())
    }
    stdin.write(head)
    stdin.write(frame)
  }

  async read(): Promise<Buffer> {
    const length = (await this.#take(4)).readUInt32BE()
    return this.#take(length)
  }

  /** The frames up to an empty one. */
  async readBatch(): Promise<Buffer[]> {
    const frames: Buffer[] = []
    for (let frame = await this.read(); frame.length > 0; frame = await this.read()) frames.push(frame)
    return frames
  }

  close(): void {
    this.#child.stdin.end()
    this.#child.kill()
  }

  async #take(length: number): Promise<Buffer> {
    const parts = [this.#pending]
    let have = this.#pending.length
    while (have < length) {
      const { value, done } = await this.#stdout.next()
      if (done === true) throw new Error(`Python has ended: ${Buffer.concat(this.#errors).toString()}`)
      parts.push(value)
      have += value.length
    }
    const all = parts.length === 1 ? this.#pending : Buffer.concat(parts)
    this.#pending = all.subarray(length)
    return all.subarray(0, length)
  }
}
