/** Commands of the Redis protocol as clients send them: arrays of bulk strings. */

/** One command: its bytes as they came, and its parts. */
export interface SentCommand {
  bytes: Buffer
  parts: readonly Buffer[]
}

const CR_LF = Buffer.from('\r\n')
const ARRAY = 0x2a

/** Splits a stream of bytes into commands, however the network cuts it. */
export class CommandReader {
  #left: Buffer = Buffer.alloc(0)

  /** Commands that are complete with these bytes. Anything but an array of bulk strings passes unchanged, without parts. */
  read(bytes: Buffer): SentCommand[] {
    const commands: SentCommand[] = []
    const all = this.#left.length > 0 ? Buffer.concat([this.#left, bytes]) : bytes
    let at = 0
    while (at < all.length) {
      const command = commandAt(all, at)
      if (!command) break
      commands.push(command)
      at += command.bytes.length
    }
    this.#left = all.subarray(at)
    return commands
  }
}

/** Writes a command. */
export function encodeCommand(parts: readonly (Buffer | string)[]): Buffer {
  const pieces: Buffer[] = [Buffer.from(`*${parts.length}\r\n`)]
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    pieces.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CR_LF)
  }
  return Buffer.concat(pieces)
}

function commandAt(all: Buffer, start: number): SentCommand | undefined {
  if (all[start] !== ARRAY) return { bytes: all.subarray(start), parts: [] }
  const header = numberAt(all, start + 1)
  if (!header) return undefined
  const parts: Buffer[] = []
  let at = header.end
  for (let i = 0; i < header.value; i++) {
    const length = numberAt(all, at + 1)
    if (!length || length.end + length.value + 2 > all.length) return undefined
    parts.push(all.subarray(length.end, length.end + length.value))
    at = length.end + length.value + 2
  }
  return { bytes: all.subarray(start, at), parts }
}

function numberAt(all: Buffer, at: number): { value: number; end: number } | undefined {
  const end = all.indexOf(CR_LF, at)
  return end < 0 ? undefined : { value: Number(all.toString('latin1', at, end)), end: end + 2 }
}
