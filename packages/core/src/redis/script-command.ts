import { Command } from 'ioredis'
import { cutOff, fitsCall, StrayReplyError } from './reply-shape.ts'
import type { CheckedCall } from './reply-shape.ts'
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
    call?: CheckedCall,
  ) {
    super(name, keys.length > 0 ? [script, 1, keys[0]!] : [script, 0], { replyEncoding: null })
    this.#script = script
    this.#keys = keys
    this.#args = args
    this.#onRepeat = onRepeat
    if (call) this.#check(call)
  }

  /** Lets a reply through that can be this command's own; another one ends the connection. */
  #check({ client, name, jobs }: CheckedCall): void {
    const { resolve } = this
    this.resolve = (reply: unknown) => {
      if (fitsCall(name, reply, jobs)) return resolve(reply as never)
      const error = new StrayReplyError(name)
      cutOff(client, error)
      this.reject(error)
    }
  }

  /** A cluster's client writes a command again unasked, where a connection ended without a reply. */
  override toWritable(): Buffer {
    if (this.#isWritten) this.#onRepeat?.()
    this.#isWritten = true
    return encodeCommand([this.name, this.#script, this.#keys.length], this.#keys, this.#args)
  }
}
