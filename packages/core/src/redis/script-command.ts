import { Command } from 'ioredis'
import { encodeCommand } from './resp.ts'
import type { RespPart } from './resp.ts'

/** @internal A script's command, written in one piece. What ioredis reads of its arguments is the first key, for the slot in a cluster. */
export class ScriptCommand extends Command {
  readonly #script: string
  readonly #keys: readonly string[]
  readonly #args: readonly RespPart[]
  readonly #onRepeat: (() => unknown) | undefined
  #isWritten = false

  constructor(
    name: string,
    script: string,
    keys: readonly string[],
    args: readonly RespPart[],
    onRepeat: (() => unknown) | undefined,
  ) {
    super(name, keys.length > 0 ? [script, 1, keys[0]!] : [script, 0], { replyEncoding: null })
    this.#script = script
    this.#keys = keys
    this.#args = args
    this.#onRepeat = onRepeat
  }

  /** A cluster's client writes a command again by itself, where a connection ended without a reply. */
  override toWritable(): Buffer {
    if (this.#isWritten) this.#onRepeat?.()
    this.#isWritten = true
    return encodeCommand([this.name, this.#script, this.#keys.length], this.#keys, this.#args)
  }
}
