import { useEffect, useRef } from 'preact/hooks'
import { Icon } from '../ui/icon.tsx'
import { entries } from './nav.ts'
import { help } from './palette-state.ts'

const keys = [
  ['Ctrl K', 'Search, or run a command'],
  ['/', 'Search on this page'],
  ['j  k', 'Next row, row before'],
  ['Enter', 'Open the row'],
  ['x', 'Select the row'],
  ['r', 'Retry or run now'],
  ['?', 'These keys'],
  ['Esc', 'Close'],
] as const

/** All keys, opened by `?`. */
export function Help() {
  const ref = useRef<HTMLDialogElement>(null)
  useEffect(() => ref.current?.showModal(), [])
  return (
    <dialog class="help" ref={ref} aria-labelledby="help-title" onClose={() => (help.value = false)}>
      <header>
        <h2 id="help-title">Keys</h2>
        <button type="button" class="button plain square" aria-label="Close" onClick={() => ref.current?.close()}>
          <Icon name="x" />
        </button>
      </header>
      <div class="keys">
        {[...keys, ...entries.map((entry) => [`g ${entry.key}`, entry.name] as const)].map(([key, text]) => (
          <div key={key}>
            <span>{text}</span>
            <span>{key.split(' ').map((part) => part && <kbd key={part}>{part}</kbd>)}</span>
          </div>
        ))}
      </div>
    </dialog>
  )
}
