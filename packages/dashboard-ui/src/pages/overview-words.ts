/** The sentences of the overview. Pure. */

import type { Headline, Overview, QueueRow } from '@arq-ts/dashboard/api'
import { brief } from '../format/duration.ts'
import { ill, isLate } from './queue-words.ts'
import { shown } from '../format/names.ts'
import { capital, count, list, words } from '../format/number.ts'

/** A piece of a sentence; code stands for a name of a function. */
export interface Piece {
  text: string
  code?: boolean
}

const verbs: Record<Headline['kind'], (name: string) => string> = {
  failing: () => ' fails',
  growing: () => ' is falling behind',
  late: () => ' is late',
  unserved: () => ' has no worker',
  stalled: () => ' stands still',
  paused: () => ' is paused',
  damaged: () => ' is damaged',
}

/** The page's sentence: the first two findings, and how many follow. */
export function title({ headlines, queues, nowMs }: Pick<Overview, 'headlines' | 'queues' | 'nowMs'>): Piece[] {
  if (headlines.length === 0) return [{ text: calm(queues, nowMs) }]
  const seen = new Set<string>()
  const distinct = headlines.filter(
    ({ kind, subject }) => !seen.has(`${kind} ${subject.name}`) && seen.add(`${kind} ${subject.name}`),
  )
  const pieces: Piece[] = []
  const most = 2
  distinct.slice(0, most).forEach(({ kind, subject }, i) => {
    if (i) pieces.push({ text: distinct.length > most ? ', ' : ', and ' })
    const server = subject.type === 'server'
    // `*` is the series that the recorder folds all further functions into.
    const name = server ? 'Redis' : subject.name === '*' ? 'a function without a worker' : shown(subject.name)
    pieces.push({
      text: name,
      code: subject.type === 'function' && subject.name !== '*',
    })
    pieces.push({ text: verbs[kind](name) })
  })
  const rest = distinct.length - most
  if (rest > 0) pieces.push({ text: `, and ${count(rest, 'more thing needs', 'more things need')} you` })
  return [...pieces, { text: '.' }]
}

function calm(queues: QueueRow[], now: number): string {
  if (queues.length === 0) return 'No job has been enqueued yet.'
  const [late, ...others] = queues.filter((queue) => isLate(queue, now)).sort((a, b) => a.oldestDueMs! - b.oldestDueMs!)
  if (late) {
    const more = others.length > 0 ? `, and ${count(others.length, 'more queue is', 'more queues are')} late` : ''
    return `${shown(late.queueName)} is late: its oldest due job waits for ${brief(now - late.oldestDueMs!)}${more}.`
  }
  if (queues.length === 1) return `${shown(queues[0]!.queueName)} is on time.`
  return `All ${count(queues.length, 'queue')} are on time.`
}

/** The line below: what is well, and who works. */
export function lede({
  headlines,
  queues,
  totals,
  nowMs,
}: Pick<Overview, 'headlines' | 'queues' | 'totals' | 'nowMs'>): string {
  const live = totals.workers + totals.pythonWorkers
  const workers =
    live === 0
      ? 'No worker is live'
      : `${capital(count(totals.workers, 'TypeScript worker'))} and ${count(totals.pythonWorkers, 'Python queue')} ${live === 1 ? 'is' : 'are'} live`
  if (queues.length === 0) return `${workers}. A queue appears here with its first job.`
  const bad = queues.filter((queue) => ill(queue, nowMs))
  const well = queues.length - bad.length
  const dead =
    totals.dead === 0 ? 'no job is a dead letter' : count(totals.dead, 'job is a dead letter', 'jobs are dead letters')
  if (headlines.length === 0) return `${workers}, and ${dead}.`
  const most =
    well === queues.length
      ? `All ${count(queues.length, 'queue')} are on time`
      : `${capital(words(well))} of ${count(queues.length, 'queue')} ${well === 1 ? 'is' : 'are'} on time`
  return `${most}${bad.length > 2 ? `; ${list(bad.map(({ queueName }) => queueName))} ${bad.length === 1 ? 'is' : 'are'} not` : ''}. ${workers}, and ${dead}.`
}

/** A finding in two parts: the claim, which is bold, and the rest. */
export function split(text: string): [string, string] {
  const at = /(?:[;.] | and |, )/.exec(text)
  return at
    ? [
        text.slice(0, at.index + (at[0].startsWith('.') ? 1 : 0)),
        text.slice(at.index + (at[0].startsWith('.') ? 1 : 0)),
      ]
    : [text, '']
}
