import { MAX_PIECES_BYTES, MIN_PIECE_BYTES } from '../progress/piece-bounds.ts'
import { problemOf } from './crossing.ts'

interface Crossing {
  bytes: number
  resolve: () => void
  reject: (error: Error) => void
}

/**
 * The pieces of one job's result on their way from a sandbox to its worker, which answers each: taken, or refused. Pieces of
 * at most `MAX_PIECES_BYTES` cross unanswered.
 */
export class Pieces {
  readonly #post: (piece: number, value: unknown) => void
  readonly #crossing = new Map<number, Crossing>()
  #bytes = 0
  #last = 0
  #hasEnded = false

  constructor(post: (piece: number, value: unknown) => void) {
    this.#post = post
  }

  /**
   * Hands a piece to the worker. Resolves once the worker has taken it, and waits there for Redis; rejects where it is
   * refused, or where too much is on its way because nobody awaits it.
   */
  emit(value: unknown): Promise<void> {
    const emitted = this.#emit(value)
    // A handler need not await it, and a rejection that nobody hears would end the sandbox.
    emitted.catch(() => {})
    return emitted
  }

  async #emit(value: unknown): Promise<void> {
    if (this.#hasEnded) throw new Error('ctx.emit: the try of this context has ended, and so have its readers')
    const problem = problemOf(value)
    if (problem !== undefined) throw new TypeError(`ctx.emit() got what does not cross: ${problem}`)
    const bytes = Math.max(sizeOf(value), MIN_PIECE_BYTES)
    if (this.#bytes + bytes > MAX_PIECES_BYTES)
      throw new RangeError(`ctx.emit: ${MAX_PIECES_BYTES} bytes are on their way to the worker; await each call`)
    const piece = ++this.#last
    this.#bytes += bytes
    await new Promise<void>((resolve, reject) => {
      this.#crossing.set(piece, { bytes, resolve, reject })
      this.#post(piece, value)
    })
  }

  /** Refuses what code emits that the job left behind: the worker answers nothing after the job's end. */
  end(): void {
    this.#hasEnded = true
  }

  /** Ends the wait for a piece. */
  answered(piece: number, error: Error | undefined): void {
    const crossing = this.#crossing.get(piece)
    if (!crossing) return
    this.#crossing.delete(piece)
    this.#bytes -= crossing.bytes
    if (error) crossing.reject(error)
    else crossing.resolve()
  }
}

/** Bytes of a piece as JSON, roughly. The worker refuses what JSON cannot write. */
function sizeOf(value: unknown): number {
  try {
    return (JSON.stringify(value) ?? '').length
  } catch {
    return 0
  }
}
