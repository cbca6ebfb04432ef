/**
 * Ids and names of queues, jobs and whatever else Redis holds, as people read them: a character that nobody sees, and a byte
 * that is no text, is written `\xNN`. Addresses carry them in the same way, since a browser would drop such a character, or
 * take a name such as `..` for a step up.
 */
import { parseId, shortId, showId } from '@arq-ts/protocol/jobs'

export { showId as shown, parseId as named } from '@arq-ts/protocol/jobs'

/** A name as people read it, or the beginning of a long one, with the sign that it has been shortened. */
export function short(name: string, most = 28): string {
  return shortId(name, most)
}

/** Values of a query that are no names: a search, whose chips have names as they are shown, and places in a list. */
const texts = new Set(['q', 'cursor', 'after'])

/** The name as a segment of a path. */
export function segment(name: string): string {
  return encodeURIComponent(/^\.\.?$/.test(name) ? name.replaceAll('.', '\\x2e') : showId(name))
}

/** Values of a query, in which names are written as they are shown. */
export class Query {
  readonly #values: ReadonlyMap<string, string>

  constructor(search: string) {
    this.#values = new Map(
      [...new URLSearchParams(search)].map(([key, value]) => [key, texts.has(key) ? value : parseId(value)]),
    )
  }

  /** The value; null where there is none. */
  get(key: string): string | null {
    return this.#values.get(key) ?? null
  }

  entries(): Iterable<[string, string]> {
    return this.#values
  }
}

/** A query of these values; empty ones are left out. */
export function queryOf(values: Readonly<Record<string, string | number | null | undefined>>): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== '')
      search.set(key, texts.has(key) ? String(value) : showId(String(value)))
  }
  const text = search.toString()
  return text ? `?${text}` : ''
}
