import { decodeValue, encodeValue } from '@arq-ts/protocol'
import type { CodecName } from '@arq-ts/protocol/jobs'
import { EncodeError } from '../../errors.ts'
import { definitionOf, parsed } from '../schema.ts'
import type { Schema } from '../schema.ts'
import { isSame, Refusal } from './as-is.ts'
import type { Path } from './as-is.ts'
import { setsToArrays } from './containers.ts'
import type { Node } from './node.ts'
import { isPlain } from './traits.ts'

interface Choice {
  readonly schema: Schema
  readonly node: Node
}

/**
 * A union takes a value by the first option that it fits. On arrival another option may come first: a date of JSON is a
 * string, and `z.union([z.string(), z.date()])` takes it for one. So what is sent is tried as it will arrive, unless a
 * discriminator decides.
 */
export class UnionNode implements Node {
  readonly #choices: readonly Choice[]
  readonly #discriminator: string | undefined

  constructor(choices: readonly Choice[], discriminator: string | undefined) {
    this.#choices = choices
    this.#discriminator = discriminator
    // An option that is a union itself has no shape to look into; a bigint names no option before it is restored.
    for (const { schema } of choices) {
      const name = definitionOf(schema).shape?.[discriminator ?? '']
      if (!name || !isPlain(name)) this.#discriminator = undefined
    }
  }

  clean(value: unknown, codec: CodecName, path: Path): unknown {
    if (this.#discriminator !== undefined) return this.#named(value)?.clean(value, codec, path) ?? value
    // Only a result is: elsewhere it is left out, or refused where it stands.
    if (value === undefined) return value
    const choice = this.#choices.find(({ schema }) => parsed(schema, value))
    if (!choice) return value
    const cleaned = choice.node.clean(value, codec, path)
    const sent = overTheWire(cleaned, codec)
    const arrived = this.#taken(sent)
    // The same value may have another option by then: keys that are undefined are left out, and defaults differ.
    const isTakenAlike = arrived?.choice === choice || isSame(arrived?.output, parsed(choice.schema, value)!.value)
    if (isTakenAlike && isSame(arrived ? arrived.restored : sent, cleaned)) return cleaned
    throw new Refusal(
      path,
      `another option of the union takes it on arrival by ${codec}; give its options a discriminator, or use codec 'pickle'`,
    )
  }

  restore(value: unknown): unknown {
    if (this.#discriminator !== undefined) return this.#named(value)?.restore(value) ?? value
    const taken = this.#taken(value)
    return taken ? taken.restored : value
  }

  /** The option that takes a value on arrival, what it takes, and what it makes of it. */
  #taken(value: unknown): { choice: Choice; restored: unknown; output: unknown } | undefined {
    for (const choice of this.#choices) {
      const restored = choice.node.restore(value)
      const read = parsed(choice.schema, restored)
      if (read) return { choice, restored, output: read.value }
    }
    return undefined
  }

  /** The option that the discriminator names. */
  #named(value: unknown): Node | undefined {
    const name = this.#discriminator!
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    const given = (value as Record<string, unknown>)[name]
    return this.#choices.find(({ schema }) => parsed(definitionOf(schema).shape![name]!, given))?.node
  }
}

/** A value as a codec gives it back; unchanged where it has no form for it, which the codec itself reports. */
function overTheWire(value: unknown, codec: CodecName): unknown {
  try {
    // The least that counts as a payload.
    const payload = { t: null, f: '', a: [], k: codec === 'pickle' ? value : setsToArrays(value), et: 0 }
    return (decodeValue(encodeValue(payload, codec)).value as typeof payload).k
  } catch (error) {
    if (error instanceof EncodeError) return value
    throw error
  }
}
