import { OptionsError } from '../errors.ts'
import { definitionOf } from './schema.ts'
import type { Schema } from './schema.ts'

/** A schema's parameters, as Python would state them in a function's signature. */
export interface Signature {
  /** May be given by position, in this order, or by name. */
  readonly positional: readonly string[]
  /** May be given by name only: Python's parameters behind the `*`. */
  readonly keywordOnly: readonly string[]
  /** Takes names it does not know, as Python's `**kwargs` does: a loose object, one with a catch-all, a record. */
  readonly acceptsUnknown: boolean
}

/**
 * Reads the parameters of a schema.
 *
 * - object: its keys, in their order.
 * - intersection: the keys of the left side, then those that only the right side has.
 * - union, discriminated or not: by position the keys with which all its options begin, in one order; the others, which
 *   stand at different places or in some options only, by name.
 * - transform, pipe and codec: those of their input.
 * - record: none by position, any by name.
 *
 * @param context - The function that was called and the option, for the error.
 * @throws OptionsError for a schema whose input has no keys to name parameters by.
 */
export function signatureOf(schema: Schema, context: string): Signature {
  return read(schema, new Set(), (type, why) => {
    throw new OptionsError(
      `${context}: expected \`params\` to be an object, an intersection or union of objects, or a transform of one; ` +
        `got ${type}: ${why}`,
    )
  })
}

type Refuse = (type: string, why: string) => never

function read(schema: Schema, within: Set<Schema>, refuse: Refuse): Signature {
  const definition = definitionOf(schema)
  const { type } = definition
  if (within.has(schema)) refuse(`a ${type} within itself`, 'its parameters have no end; name them in an object')
  const inner = new Set(within).add(schema)
  switch (type) {
    case 'object': {
      const { catchall, shape = {} } = definition
      const acceptsUnknown = catchall !== undefined && definitionOf(catchall).type !== 'never'
      return { positional: Object.keys(shape), keywordOnly: [], acceptsUnknown }
    }
    case 'record':
      return { positional: [], keywordOnly: [], acceptsUnknown: true }
    case 'intersection': {
      const left = read(definition.left!, inner, refuse)
      return intersection(left, read(definition.right!, inner, refuse))
    }
    case 'union':
      return union(definition.options!.map((option) => read(option, inner, refuse)))
    case 'pipe':
      if (definitionOf(definition.in!).type === 'transform')
        refuse('a preprocessed schema', 'its arguments have no names before they are processed; preprocess its fields')
      return read(definition.in!, inner, refuse)
    case 'readonly':
      return read(definition.innerType!, inner, refuse)
    case 'lazy':
      return read(definition.getter!(), inner, refuse)
    default:
      return refuse(`${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`, 'its values have no keys to name parameters by')
  }
}

function intersection(left: Signature, right: Signature): Signature {
  const keywordOnly = new Set([...left.keywordOnly, ...right.keywordOnly])
  const positional = new Set([...left.positional, ...right.positional])
  return {
    positional: [...positional].filter((name) => !keywordOnly.has(name)),
    keywordOnly: [...keywordOnly],
    acceptsUnknown: left.acceptsUnknown || right.acceptsUnknown,
  }
}

function union(options: readonly Signature[]): Signature {
  const [first] = options
  let length = 0
  const isShared = (at: number) => options.every(({ positional }) => positional[at] === first!.positional[at])
  while (first !== undefined && length < first.positional.length && isShared(length)) length++
  const positional = first?.positional.slice(0, length) ?? []
  const all = options.flatMap((option) => [...option.positional, ...option.keywordOnly])
  return {
    positional,
    keywordOnly: [...new Set(all)].filter((name) => !positional.includes(name)),
    acceptsUnknown: options.some((option) => option.acceptsUnknown),
  }
}
