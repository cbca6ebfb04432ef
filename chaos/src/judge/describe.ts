import type { Story } from './book.ts'

/** The runs of a job in one line, times relative to its acceptance. */
export function describeRuns(story: Story): string {
  const zero = story.acceptedMs ?? story.runs[0]?.startMs ?? 0
  const at = (ms: number | undefined) => (ms === undefined ? '–' : ((ms - zero) / 1000).toFixed(2))
  const runs = story.runs.map(
    (run) =>
      `${run.worker} ${at(run.startMs)}→${at(run.endMs)} ${run.outcome ?? 'no end'}` +
      (run.settledMs === undefined ? '' : ` stored ${at(run.settledMs)}`),
  )
  const when = new Date(zero).toISOString().slice(11, 23)
  return `${story.nonce} by ${story.producer ?? '?'} at ${when}: ${runs.join('; ') || 'no run'}`
}
