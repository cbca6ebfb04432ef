import { signal } from '@preact/signals'
import { navigate, to } from '../router.ts'
import { entries } from './nav.ts'
import { help, openPalette } from './palette-state.ts'

/** True after `g`, until the next key. */
export const going = signal(false)

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}

/** Moves the focus among the rows that the page marks with `data-row`. */
function moveRow(step: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>('#content [data-row]')]
  if (rows.length === 0) return
  const at = rows.findIndex((row) => row.contains(document.activeElement))
  const next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1)]!
  next.focus()
  next.scrollIntoView({ block: 'nearest' })
}

/** Starts to listen to the keys of all pages. Keys of a page's own are bound by `data-key` on its buttons. */
export function listenToKeys(): void {
  document.addEventListener('keydown', (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault()
      openPalette()
      return
    }
    if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || typing(event.target)) return
    if (document.querySelector('dialog[open]')) return
    if (going.value) {
      going.value = false
      const entry = entries.find(({ key }) => key === event.key)
      if (!entry) return
      event.preventDefault()
      navigate(to(entry.path))
      return
    }
    const pressed = keys[event.key]
    if (pressed) {
      event.preventDefault()
      pressed()
      return
    }
    const button = document.querySelector<HTMLElement>(`#content [data-key="${CSS.escape(event.key)}"]`)
    if (button) {
      event.preventDefault()
      button.click()
    }
  })
}

const keys: Record<string, () => void> = {
  g: () => (going.value = true),
  j: () => moveRow(1),
  k: () => moveRow(-1),
  '?': () => (help.value = true),
  '/': () => {
    const search = document.querySelector<HTMLElement>('#content [data-search]')
    if (search) search.focus()
    else openPalette()
  },
}
