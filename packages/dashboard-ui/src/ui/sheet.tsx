import { useEffect, useRef } from 'preact/hooks'
import type { ComponentChildren } from 'preact'
import { session } from '../state/session.ts'
import { Icon } from './icon.tsx'
import { Mark } from './status.tsx'

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

/** The foot of a sheet that acts: the act, a way out, and whose name the audit log will have. */
export function ActFoot({
  verb,
  run,
  close,
  disabled = false,
}: {
  verb: string
  run: () => unknown
  close: () => void
  disabled?: boolean
}) {
  return (
    <>
      <button type="button" class="button primary" disabled={disabled} onClick={() => void run()}>
        {verb}
      </button>
      <button type="button" class="button" onClick={close}>
        Cancel
      </button>
      {session.value?.user && <small>Goes to the audit log as {session.value.user.name}</small>}
    </>
  )
}

/** The reason why a form was not accepted; nothing where it was not refused. */
export function Refusal({ of }: { of: string | null }) {
  return of ? (
    <p class="problem" role="alert">
      <Mark shape="failing" /> {of}
    </p>
  ) : null
}
