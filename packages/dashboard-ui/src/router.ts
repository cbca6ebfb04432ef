import { computed, signal } from '@preact/signals'
import { Query, queryOf } from './format/names.ts'

/** Address of the page within the dashboard: the path behind the base, and the query. */
export interface Place {
  path: string
  query: Query
}

const base = new URL('.', document.baseURI).pathname.replace(/\/$/, '')

function read(): Place {
  const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : location.pathname
  return { path: path.replace(/\/+$/, '') || '/', query: new Query(location.search) }
}

/** The place that is shown. */
export const place = signal(read())

/** The path that is shown, without its query. */
export const path = computed(() => place.value.path)

/** An address for `href`: the path under the base, and the query without empty values. */
export function to(path: string, query: Record<string, string | number | null | undefined> = {}): string {
  return base + path + queryOf(query)
}

/** Opens an address made by `to`. A replaced address leaves no entry in the history. */
export function navigate(address: string, { replace = false }: { replace?: boolean } = {}): void {
  const from = place.value.path
  history[replace ? 'replaceState' : 'pushState'](null, '', address)
  place.value = read()
  if (place.value.path !== from) {
    window.scrollTo(0, 0)
    arrived.value++
  }
}

/** Counts arrivals on another page; the shell moves the focus to its content then. */
export const arrived = signal(0)

/** Sets or removes parts of the query; the path stays. */
export function setQuery(changes: Record<string, string | null>, options?: { replace?: boolean }): void {
  const query = Object.fromEntries(place.value.query.entries())
  navigate(to(place.value.path, { ...query, ...changes }), options)
}

/** Starts to follow clicks on links of the dashboard, and the browser's back and forward. */
export function follow(): void {
  window.addEventListener('popstate', () => {
    const from = place.value.path
    place.value = read()
    if (place.value.path !== from) arrived.value++
  })
  document.addEventListener('click', (event) => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return
    const link = event.target instanceof Element ? event.target.closest('a') : null
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return
    if (!`${link.pathname}/`.startsWith(`${base}/`) || link.pathname.startsWith(`${base}/api/`)) return
    event.preventDefault()
    navigate(link.pathname + link.search)
  })
}
