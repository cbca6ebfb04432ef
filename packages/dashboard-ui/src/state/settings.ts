import { effect, signal, type Signal } from '@preact/signals'

/** A signal that the browser keeps under `arq-ts:<name>`; private windows and full stores only forget it. */
function kept<T>(name: string, initial: T): Signal<T> {
  const key = `arq-ts:${name}`
  let stored = initial
  try {
    const text = localStorage.getItem(key)
    if (text !== null) stored = JSON.parse(text) as T
  } catch {
    // A value of another version, or no store: the default holds.
  }
  const value = signal(stored)
  effect(() => {
    const text = JSON.stringify(value.value)
    try {
      if (text === JSON.stringify(initial)) localStorage.removeItem(key)
      else localStorage.setItem(key, text)
    } catch {
      // Kept for this page only.
    }
  })
  return value
}

/** Colour scheme. */
export const theme = kept<'system' | 'light' | 'dark'>('theme', 'system')

/** Time zone of all times shown. */
export const zone = kept<'utc' | 'local'>('zone', 'utc')

/** Saved views of the job list: a name and its query. */
export const views = kept<{ name: string; q: string }[]>('views', [])

/** Applies the theme to the document whenever it changes. */
export function applyTheme(): void {
  effect(() => {
    if (theme.value === 'system') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = theme.value
  })
}
