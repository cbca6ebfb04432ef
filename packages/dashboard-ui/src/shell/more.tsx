import { useEffect, useRef } from 'preact/hooks'
import { to } from '../router.ts'
import { Icon } from '../ui/icon.tsx'
import { entries } from './nav.ts'

/** The pages that the bottom bar has no room for. */
export function More({ close }: { close: () => void }) {
  const ref = useRef<HTMLDialogElement>(null)
  useEffect(() => ref.current?.showModal(), [])
  return (
    <dialog class="sheet" ref={ref} aria-labelledby="more-title" onClose={close}>
      <header>
        <h2 id="more-title" tabIndex={-1}>
          All pages
        </h2>
        <button type="button" class="button plain square" aria-label="Close" onClick={() => ref.current?.close()}>
          <Icon name="x" />
        </button>
      </header>
      <nav class="body" aria-label="All pages">
        <ul class="pages">
          {entries.map((entry) => (
            <li key={entry.path}>
              <a href={to(entry.path)} onClick={close}>
                <Icon name={entry.icon} />
                {entry.name}
              </a>
            </li>
          ))}
        </ul>
      </nav>
    </dialog>
  )
}
