import { useEffect, useRef } from 'preact/hooks'
import type { ComponentChildren } from 'preact'
import { Icon } from './icon.tsx'

interface Props {
  title: string
  lede?: ComponentChildren
  close: () => void
  foot?: ComponentChildren
  children: ComponentChildren
}

/** A sheet at the side; at the bottom of small screens. The focus starts on its title, so that Enter runs nothing. */
export function Sheet({ title, lede, close, foot, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    ref.current?.showModal()
    heading.current?.focus()
  }, [])
  return (
    <dialog
      class="sheet"
      ref={ref}
      aria-label={title}
      onClose={close}
      onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}
    >
      <header>
        <div>
          <h2 tabIndex={-1} ref={heading}>
            {title}
          </h2>
          {lede && <p class="muted">{lede}</p>}
        </div>
        <button type="button" class="button plain square" aria-label="Close" onClick={() => ref.current?.close()}>
          <Icon name="x" />
        </button>
      </header>
      <div class="body" tabIndex={0} role="region" aria-label={title}>
        {children}
      </div>
      {foot && <footer>{foot}</footer>}
    </dialog>
  )
}
