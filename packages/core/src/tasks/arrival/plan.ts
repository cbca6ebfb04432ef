import type { CodecName } from '@arq-ts/protocol/jobs'
import { classOf, definitionOf, parsed } from '../schema.ts'
import type { Schema } from '../schema.ts'
import { arrivesAsIs, Refusal } from './as-is.ts'
import { checkInstance, toBigInt, toDate, toInstance } from './classes.ts'
import { ArrayNode, IntersectionNode, MapNode, ObjectNode, SetNode, setsToArrays } from './containers.ts'
import type { Node } from './node.ts'
import { hasSets, isPlain, takes, wrapped } from './traits.ts'
import { UnionNode } from './unions.ts'

/** The way of one schema's inputs to the wire and back. */
export interface Arrival {
  /** @throws Refusal */
  clean(value: unknown, codec: CodecName): unknown
  /** A cleaned input in the form that the codec writes. */
  toWire(value: unknown, codec: CodecName): unknown
  restore(value: unknown): unknown
}

/**
 * Plans how inputs of a schema arrive as they were sent, in each codec: a bigint comes back as a number, a Map as an
 * object, a date from JSON as a string, and the schema says what they were. Undefined for a schema of plain data, which
 * every codec gives back: nearly all are such, and cost nothing here.
 */
export function arrivalOf(schema: Schema): Arrival | undefined {
  if (isPlain(schema)) return undefined
  const node = new Planner().node(schema)
  const withSets = hasSets(schema)
  return {
    clean: (value, codec) => node.clean(value, codec, []),
    toWire: (value, codec) => (withSets && codec !== 'pickle' ? setsToArrays(value) : value),
    restore: (value) => node.restore(value),
  }
}

/** The plan of a result, which is null where a handler returns nothing. */
export function resultArrivalOf(schema: Schema): Arrival | undefined {
  const arrival = arrivalOf(schema)
  if (!takes(undefined, schema) || takes(null, schema)) return arrival
  return {
    clean: (value, codec) => arrival?.clean(value, codec) ?? value,
    toWire: (value, codec) => arrival?.toWire(value, codec) ?? value,
    restore: (value) => (value === null ? undefined : (arrival?.restore(value) ?? value)),
  }
}

/** Makes each schema's node once; a schema within itself gets a node that looks it up when it is used. */
export class Planner {
  readonly #nodes = new Map<Schema, Node>()

  node(schema: Schema): Node {
    const known = this.#nodes.get(schema)
    if (known) return known
    let made: Node | undefined
    this.#nodes.set(schema, {
      clean: (value, codec, path) => made!.clean(value, codec, path),
      restore: (value) => made!.restore(value),
    })
    made = isPlain(schema) ? PLAIN : this.#make(schema)
    this.#nodes.set(schema, made)
    return made
  }

  /** The node of a value that stands where a codec writes null for `undefined`: in an array, a map or a set. */
  item(schema: Schema): Node {
    const node = this.node(schema)
    if (!takes(undefined, schema)) return node
    const takesNull = takes(null, schema)
    return {
      clean(value, codec, path) {
        if (value !== undefined) return node.clean(value, codec, path)
        if (takesNull) throw new Refusal(path, 'undefined arrives as null here; send null')
        return value
      },
      restore: (value) => (value === null && !takesNull ? undefined : node.restore(value)),
    }
  }

  /** The node of keys that the schema does not name. */
  #others(schema: Schema): { node: Node; hasDefault: boolean } {
    const hasDefault = takes(undefined, schema) && parsed(schema, undefined)?.value !== undefined
    return { node: this.node(schema), hasDefault }
  }

  #make(schema: Schema): Node {
    const definition = definitionOf(schema)
    const { catchall, element, getter, items, keyType, left, options, rest, right, shape, type, valueType } = definition
    if (definition.coerce) return coerced(type)
    const inner = wrapped(schema)
    if (inner && type === 'nullable') return nullable(this.node(inner))
    if (inner) return this.node(inner)
    switch (type) {
      case 'bigint':
        return leaf(toBigInt)
      case 'date':
        return leaf(toDate)
      case 'undefined':
      case 'void':
        return leaf((value) => value ?? undefined)
      case 'literal':
        return literal(definition.values!)
      case 'object': {
        const nodes = new Map(Object.entries(shape ?? {}).map(([key, each]) => [key, this.node(each)]))
        return new ObjectNode(nodes, catchall && this.#others(catchall))
      }
      case 'record':
        return new ObjectNode(new Map(), this.#others(valueType!))
      case 'array':
        return new ArrayNode([], this.item(element!))
      case 'tuple':
        return new ArrayNode(
          items!.map((each) => this.item(each)),
          rest ? this.item(rest) : undefined,
        )
      case 'map':
        return new MapNode(this.item(keyType!), this.item(valueType!))
      case 'set':
        return new SetNode(this.item(valueType!))
      case 'intersection':
        return new IntersectionNode([this.node(left!), this.node(right!)])
      case 'union': {
        const choices = options!.map((option) => ({ schema: option, node: this.node(option) }))
        return new UnionNode(choices, definition.discriminator)
      }
      case 'lazy':
        return this.node(getter!())
      default: {
        const instance = classOf(schema)
        return instance === undefined ? AS_IS : ofClass(instance)
      }
    }
  }
}

const PLAIN: Node = { clean: (value) => value, restore: (value) => value }

/** A part whose schema does not say what it takes. */
const AS_IS: Node = {
  clean(value, codec, path) {
    arrivesAsIs(value, codec, path)
    return value
  },
  restore: (value) => value,
}

/** Null is null, whatever the schema within would make of it. */
function nullable(inner: Node): Node {
  return {
    clean: (value, codec, path) => inner.clean(value, codec, path),
    restore: (value) => (value === null ? value : inner.restore(value)),
  }
}

function leaf(restore: (value: unknown) => unknown): Node {
  return { clean: (value) => value, restore }
}

function ofClass(type: unknown): Node {
  return {
    clean(value, codec, path) {
      checkInstance(type, value, codec, path)
      return value
    },
    restore: (value) => toInstance(type, value),
  }
}

/** A schema that takes anything and makes its own type of it: that type is restored, the rest must arrive as it is. */
function coerced(type: string): Node {
  const restore = type === 'bigint' ? toBigInt : type === 'date' ? toDate : (value: unknown) => value
  return {
    clean(value, codec, path) {
      const isOwn = (type === 'bigint' && typeof value === 'bigint') || (type === 'date' && value instanceof Date)
      if (!isOwn) arrivesAsIs(value, codec, path)
      return value
    },
    restore,
  }
}

function literal(values: readonly unknown[]): Node {
  const takesNull = values.includes(null)
  return {
    clean(value, _codec, path) {
      if (typeof value === 'bigint' && values.includes(value) && values.includes(Number(value)))
        throw new Refusal(path, `${value}n and ${value} are both literals, and arrive as the number; send the number`)
      return value
    },
    restore(value) {
      if (values.includes(value)) return value
      if (value === null && !takesNull && values.includes(undefined)) return undefined
      const big = toBigInt(value)
      return values.includes(big) ? big : value
    },
  }
}
