import type { PyObject } from './py-object.ts'
import { isError } from './realms.ts'
import { hasErrorFields, kindOf } from './walk.ts'

/** Places to look at before the search is given up: it is for a message only. */
const MAX_PLACES = 20_000
/** Number of characters or bytes that take as long as a place: one long string may occur thousands of times. */
const PLACE_LENGTH = 64
const MAX_LENGTH = 200

/**
 * The way to the first value that a codec refuses: `.kwargs.image.pixels`, `[0]["a b"]`. Empty where it is the value
 * itself, undefined where none is found.
 *
 * @param isRefused - Answers for one value without those within it.
 * @param entersErrors - False where the codec gives the arguments of an exception up for its message.
 */
export function locate(
  root: unknown,
  isRefused: (value: unknown) => boolean,
  entersErrors: boolean,
): string | undefined {
  const seen = new Set<object>()
  let left = MAX_PLACES
  const search = (value: unknown, path: string): string | undefined => {
    left -= 1 + lengthOf(value) / PLACE_LENGTH
    if (left < 0) return undefined
    if (typeof value !== 'object' || value === null) return isRefused(value) ? path : undefined
    if (seen.has(value) || path.length > MAX_LENGTH) return undefined
    seen.add(value)
    if (isRefused(shellOf(value))) return path
    if (isError(value) && !entersErrors) return undefined
    for (const [step, child] of children(value)) {
      const found = search(child, path + step)
      if (found !== undefined) return found
    }
    return undefined
  }
  return search(root, '')
}

function lengthOf(value: unknown): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 0
}

/** A container without what it holds; another value as it is. */
function shellOf(value: object): unknown {
  switch (kindOf(value)) {
    case 'list':
      return []
    case 'dict':
      return {}
    case 'map':
      return new Map([...(value as Map<unknown, unknown>).keys()].map((key) => [key, null]))
    case 'set':
      // Their kinds count: a pickle's set takes what Python can hash.
      return new Set([...(value as Set<unknown>)].map((item) => (isContainer(item) ? shellOf(item) : null)))
    case 'error':
      return new Error()
    default:
      return value
  }
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function* children(value: object): Generator<[step: string, child: unknown]> {
  switch (kindOf(value)) {
    case 'list':
      for (const [index, item] of (value as unknown[]).entries()) yield [`[${index}]`, item]
      return
    case 'set': {
      let index = 0
      for (const item of value as Set<unknown>) yield [`[${index++}]`, item]
      return
    }
    case 'map':
      for (const [key, item] of value as Map<unknown, unknown>) yield [stepOf(key), item]
      return
    case 'dict':
      for (const key of Object.keys(value)) yield [stepOf(key), (value as Record<string, unknown>)[key]]
      return
    case 'object': {
      const { args, dictItems, kwargs, listItems, state } = value as PyObject
      yield* Object.entries({ '.args': args, '.kwargs': kwargs, '.state': state })
      yield* Object.entries({ '.listItems': listItems, '.dictItems': dictItems })
      return
    }
    case 'error':
      if (hasErrorFields(value)) yield* Object.entries({ '.args': value.args, '.attributes': value.attributes })
      return
    case 'leaf':
  }
}

function stepOf(key: unknown): string {
  if (typeof key === 'string' && /^[a-z_$][\w$]*$/i.test(key)) return `.${key}`
  return typeof key === 'object'
    ? '[…]'
    : `[${typeof key === 'string' ? JSON.stringify(key.slice(0, 100)) : String(key)}]`
}
