import { spanText } from '@arq-ts/core'
import { showId } from '@arq-ts/protocol/jobs'
import type { Headline, Overview, QueueRow } from '../api/types.ts'
import type { Board } from '../board.ts'
import { failingFunctions, NO_SAMPLE, sampleSeen, unservedFunctions } from './functions.ts'
import type { Failing } from './functions.ts'
import type { Sight } from '../users/sight.ts'
import { BEHIND_MS, snapshot, snapshotSeen } from './queues.ts'
import type { Snapshot } from './queues.ts'

/** The name under which the recorder counts functions that a worker does not have. */
const OTHERS = '*'

/** The overview: what is wrong now, and every queue in numbers, as far as the user may see them. */
export async function overview(board: Board, sight: Sight, seen?: Snapshot): Promise<Omit<Overview, 'cost'>> {
  const all = seen ?? (await snapshot(board))
  const sample = await sampleSeen(await board.sampleSoon(all), sight)
  const now = await snapshotSeen(all, sight)
  const unserved = unservedFunctions(now, sample)
  const incomplete: string[] = []
  if (!now.complete) incomplete.push('Queues are still being looked for: there may be more.')
  if (now.omitted.length > 0) {
    const counted = all.queues.length.toLocaleString('en-US')
    incomplete.push(
      `Only the first ${counted} queues by name are counted; ${count(now.omitted.length, 'other queue')} may need you.`,
    )
  }
  if (sample === NO_SAMPLE) incomplete.push('Functions: the waiting jobs are being looked at.')
  else if (!sample.complete) {
    incomplete.push(`Functions: only the first ${count(sample.jobs, 'waiting job')} were looked at.`)
  }
  const sum = (of: (row: QueueRow) => number) => now.queues.reduce((total, row) => total + of(row), 0)
  return {
    nowMs: now.nowMs,
    headlines: headlinesOf(now, unserved, failingFunctions(sample)),
    queues: now.queues,
    totals: {
      pending: sum((row) => row.pending),
      deferred: sum((row) => row.deferred),
      running: sum((row) => row.running),
      dead: sight.isBroad ? await board.client.deadLetters.count() : sum((row) => row.dead),
      workers: now.workers.length,
      pythonWorkers: now.python.length,
      exact: now.queues.every(({ exact }) => exact),
    },
    unserved,
    incomplete,
  }
}

/** Problems, the most severe first. */
export function headlinesOf(
  seen: Snapshot,
  unserved: Overview['unserved'],
  failing: readonly Failing[] = [],
): Headline[] {
  const headlines = failing.map(({ functionName, failed, tries }): Headline => {
    const share = Math.round((100 * failed) / tries)
    const who = functionName === OTHERS ? 'functions that their worker does not have' : `"${showId(functionName)}"`
    const text = `${who} ${functionName === OTHERS ? 'fail' : 'fails'} in ${share} % of ${functionName === OTHERS ? 'their' : 'its'} tries: ${failed.toLocaleString('en-US')} in the last half hour`
    return {
      kind: 'failing',
      severity: 'error',
      subject: { type: 'function', name: functionName },
      text,
      sinceMs: null,
    }
  })
  for (const row of seen.queues) headlines.push(...queueHeadlines(row, seen.nowMs))
  for (const { functionName, queueName, waiting } of unserved) {
    const row = seen.queues.find((each) => each.queueName === queueName)
    // A queue without any worker says so itself, once a job is due there.
    if (row?.workers === 0) continue
    headlines.push({
      kind: 'unserved',
      severity: 'warning',
      subject: { type: 'function', name: functionName },
      text: `${count(waiting, 'job')} of "${showId(functionName)}" ${waiting === 1 ? 'waits' : 'wait'} in "${showId(queueName)}", and no live worker of the queue has the function`,
      sinceMs: null,
    })
  }
  for (const { workerId, reason } of seen.unreadable) {
    headlines.push({
      kind: 'damaged',
      severity: 'warning',
      subject: { type: 'server', name: workerId },
      text: `the worker "${showId(workerId)}" is registered, and ${reason}`,
      sinceMs: null,
    })
  }
  return headlines.sort((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'))
}

function queueHeadlines(row: QueueRow, nowMs: number): Headline[] {
  const subject = { type: 'queue', name: row.queueName } as const
  const due = `${count(row.pending, 'job')} ${row.pending === 1 ? 'is' : 'are'} due`
  switch (row.state) {
    case 'damaged':
      return row.problems.map((text) => ({ kind: 'damaged', severity: 'error', subject, text, sinceMs: null }))
    case 'unserved':
      return [
        {
          kind: 'stalled',
          severity: 'error',
          subject,
          text: `${due} in "${showId(row.queueName)}", and no live worker of either language serves it`,
          sinceMs: row.oldestDueMs,
        },
      ]
    case 'falling-behind': {
      const net = Math.round(row.rates!.netPerMinute)
      const text = `"${showId(row.queueName)}" grows by ${count(net, 'job')} a minute and never empties at this rate`
      return [{ kind: 'growing', severity: 'warning', subject, text, sinceMs: null }]
    }
    case 'paused':
      return [
        {
          kind: 'paused',
          severity: 'warning',
          subject,
          text: `"${showId(row.queueName)}" is paused; ${due}`,
          sinceMs: null,
        },
      ]
    default: {
      // Until its rates are known, a queue is late by the age of its oldest job alone.
      const waitedMs = row.oldestDueMs === null ? 0 : nowMs - row.oldestDueMs
      if (row.rates !== null || row.pending === 0 || waitedMs <= BEHIND_MS) return []
      const text = `"${showId(row.queueName)}" is late: ${due}, the oldest for ${spanText(waitedMs)}`
      return [{ kind: 'late', severity: 'warning', subject, text, sinceMs: null }]
    }
  }
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString('en-US')} ${noun}${number === 1 ? '' : 's'}`
}
