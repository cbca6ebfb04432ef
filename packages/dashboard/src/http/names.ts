import { parseId } from '@arq-ts/protocol/jobs'

/** The name that a query gives, written as in a path; null where it gives none. */
export function nameIn(query: URLSearchParams, key: 'queue' | 'function' | 'key'): string | null {
  const text = query.get(key)
  return text === null ? null : parseId(text)
}
