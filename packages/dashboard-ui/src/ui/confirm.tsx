import { useState } from 'preact/hooks'
import { perform } from '../shell/toasts.tsx'
import { ActFoot, Sheet } from './sheet.tsx'

/** An act that is asked for once more: what it does, an optional reason, and one button that names it. */
export interface ConfirmRequest {
  title: string
  does: string
  verb: string
  path: string
  body?: object
  /** True where the act takes a reason. */
  reason?: boolean
}

/** The question. The focus starts on its title, so that Enter runs nothing. */
export function Confirm({ of, close, done }: { of: ConfirmRequest; close: () => void; done?: () => void }) {
  const [reason, setReason] = useState('')
  const [running, setRunning] = useState(false)
  const run = async () => {
    setRunning(true)
    const answer = await perform(of.path, { ...of.body, ...(of.reason && reason.trim() && { reason: reason.trim() }) })
    if (answer) {
      close()
      if (answer.done) done?.()
    } else setRunning(false)
  }
  return (
    <Sheet
      title={of.title}
      lede="Nothing has changed yet."
      close={close}
      foot={<ActFoot verb={of.verb} run={run} disabled={running} close={close} />}
    >
      <p>{of.does}</p>
      {of.reason && (
        <label class="labelled asked">
          Reason, for the log of decisions
          <input class="field" value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </label>
      )}
    </Sheet>
  )
}
