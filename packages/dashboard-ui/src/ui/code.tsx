import { tokens } from '../format/call.ts'
import { culprit, frames, typeAndMessage } from '../format/stack.ts'

/** Lines of code with their strings and numbers in colour. */
export function Code({ lines, label }: { lines: string[]; label: string }) {
  return (
    <pre class="code" tabIndex={0} role="region" aria-label={label}>
      {lines.map((line, i) => (
        <div key={i}>
          {tokens(line).map(({ text, kind }, k) =>
            kind === 'plain' ? (
              text
            ) : (
              <span key={k} class={kind}>
                {text}
              </span>
            ),
          )}
          {line === '' && '\n'}
        </div>
      ))}
    </pre>
  )
}

/** An error and its stack; frames of libraries are folded. */
export function ErrorBox({ error, stack }: { error: string; stack: string | null }) {
  const [type, message] = typeAndMessage(error)
  const all = stack ? frames(stack) : []
  const hit = culprit(all)
  const own = all.filter((frame) => !frame.library)
  const libraries = all.filter((frame) => frame.library)
  return (
    <div class="code stack" tabIndex={0} role="region" aria-label="Error and stack">
      <div>
        {type && <b>{type}</b>}
        {type && message ? ': ' : ''}
        {message}
      </div>
      {(own.length ? own : all).map((frame, i) => (
        <div key={i} class={frame === hit ? 'hit' : 'note'}>
          {frame.lines.join('\n')}
        </div>
      ))}
      {own.length > 0 && libraries.length > 0 && (
        <details>
          <summary>{libraries.length === 1 ? '1 frame' : `${libraries.length} frames`} in libraries</summary>
          {libraries.map((frame, i) => (
            <div key={i} class="note">
              {frame.lines.join('\n')}
            </div>
          ))}
        </details>
      )}
      {stack && all.length === 0 && <div class="note">{stack}</div>}
    </div>
  )
}
