import { useLayoutEffect, useRef } from 'preact/hooks'
import type { JobLogs } from '@arq-ts/dashboard/api'
import { segments } from '../api/client.ts'
import { useResource } from '../api/resource.ts'
import { number, percent } from '../format/number.ts'
import { clockMillis } from '../format/time.ts'
import { Section } from '../ui/parts.tsx'

/** Logs and progress of a job; new lines come while it runs. */
export function Logs({ id, live }: { id: string; live: boolean }) {
  const logs = useResource<JobLogs>(`jobs/${segments(id)}/logs`, live ? { everyMs: 1_000 } : {})
  const end = useRef<HTMLDivElement>(null)
  const follows = useRef(true)
  const newest = logs.data?.lines.at(-1)?.id
  const follow = ({ currentTarget: box }: { currentTarget: HTMLDivElement }) => {
    follows.current = box.scrollHeight - box.scrollTop - box.clientHeight < 8
  }
  // Stays at the end while the reader is there.
  useLayoutEffect(() => {
    if (live && follows.current) end.current?.scrollTo(0, end.current.scrollHeight)
  }, [live, newest])
  if (!logs.data) return null
  const { available, why, lines, progress } = logs.data
  return (
    <Section title="Logs and progress" remark={live ? 'live' : ''}>
      {progress && (
        <>
          <p class="muted">
            {progress.done !== null && (
              <b class="num">{progress.total ? percent(progress.done / progress.total) : number(progress.done)}</b>
            )}{' '}
            {progress.text}
          </p>
          {progress.done !== null && progress.total !== null && progress.total > 0 && (
            <progress max={progress.total} value={progress.done} aria-label="Progress">
              {progress.done} of {progress.total}
            </progress>
          )}
        </>
      )}
      {lines.length > 0 ? (
        <div class="scroll lines" tabIndex={0} role="region" aria-label="Log" ref={end} onScroll={follow}>
          <table class="log mono">
            <tbody>
              {lines.map((line) => (
                <tr key={line.id}>
                  <td class="fade name">{clockMillis(line.atMs)}</td>
                  <td class="fade name minor">{line.jobTry !== null && `try ${line.jobTry}`}</td>
                  <td
                    class={
                      line.level === 'error' || line.level === 'fatal'
                        ? 'failing'
                        : line.level === 'warn'
                          ? 'warning'
                          : 'fade'
                    }
                  >
                    {line.level}
                  </td>
                  <td class="message">{line.message}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <p class="muted">{live && available ? 'It has logged nothing yet.' : (why ?? 'Nothing was logged.')}</p>
      )}
    </Section>
  )
}
