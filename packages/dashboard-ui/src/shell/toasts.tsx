import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { ActAnswer, UndoOffer } from '@arq-ts/dashboard/api'
import { ApiFailure, act, undo } from '../api/client.ts'
import { loadSession } from '../state/session.ts'
import { Icon } from '../ui/icon.tsx'
import { Mark, type Shape } from '../ui/status.tsx'
import { clock } from '../format/time.ts'

interface Toast {
  id: number
  shape: Shape
  text: string
  undo: UndoOffer | null
}

const toasts = signal<Toast[]>([])
let last = 0

/** Counts acts that changed something; pages load again when it grows. */
export const changed = signal(0)

/** Shows a message for a while: 20 s where it can be undone, 8 s otherwise; failures stay until they are closed. */
export function say(
  text: string,
  { shape = 'on-time', undo: offer = null }: { shape?: Shape; undo?: UndoOffer | null } = {},
): void {
  const id = ++last
  toasts.value = [...toasts.value.slice(-2), { id, shape, text, undo: offer }]
  if (shape !== 'failing') setTimeout(() => close(id), offer ? 20_000 : 8_000)
}

function close(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id)
}

/** Says why something failed. */
export function sayFailure(error: unknown): void {
  say(error instanceof ApiFailure ? error.message : String(error), { shape: 'failing' })
}

/** Notes that something changed: the page and the badges load again. */
export function noteChange(): void {
  changed.value++
  void loadSession()
}

/** Performs an act, says its outcome, and offers to undo it. */
export async function perform(path: string, body: object = {}): Promise<ActAnswer | null> {
  try {
    const answer = await act(path, body)
    say(answer.message, { shape: answer.done ? 'on-time' : 'warning', undo: answer.undo })
    noteChange()
    return answer
  } catch (error) {
    sayFailure(error)
    return null
  }
}

async function takeBack(toast: Toast): Promise<void> {
  close(toast.id)
  try {
    say((await undo(toast.undo!.token)).message)
    noteChange()
  } catch (error) {
    sayFailure(error)
  }
}

/** The messages, in the corner of the page. */
export function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map((toast) => (
        <div key={toast.id} class="toast">
          <Mark shape={toast.shape} />
          <span>{toast.text}</span>
          {toast.undo && (
            <button
              type="button"
              class="button"
              title={`Until ${clock(toast.undo.untilMs)}: ${toast.undo.limits}`}
              onClick={() => void takeBack(toast)}
            >
              <Icon name="undo-2" /> Undo
            </button>
          )}
          <button
            type="button"
            class="button plain square"
            aria-label="Close the message"
            onClick={() => close(toast.id)}
          >
            <Icon name="x" />
          </button>
        </div>
      ))}
    </div>
  )
}

/** Calls `reload` after each act that changed something while the page is shown. */
export function useChanged(reload: () => void): void {
  const known = useRef(changed.value)
  useEffect(() => {
    if (changed.value === known.current) return
    known.current = changed.value
    reload()
  }, [changed.value])
}
