import type { WorkerInfo } from '@arq-ts/core'
import type { Forecast, ForecastSlot, QueueRow } from '../api/types.ts'
import type { Board } from '../board.ts'
import type { Sight } from '../users/sight.ts'
import { snapshot, snapshotSeen } from './queues.ts'
import { cronOf, ticksBetween } from '@arq-ts/core'

const SLOT_MS = 1_800_000
const SLOTS = 48
const MAX_NAMES = 10
/** Queues that are asked for, 50 commands each. */
const MAX_QUEUES = 500

/**
 * The arrivals of the next 24 hours that are known already. A score is a due time, so that 48 ranges of a queue say what
 * becomes due when; cron ticks are computed. `queueName` null: all queues that the user may see together.
 */
export async function forecast(board: Board, queueName: string | null, sight: Sight): Promise<Omit<Forecast, 'cost'>> {
  const all = await snapshot(board, queueName === null ? undefined : [queueName])
  const { nowMs, queues, workers, complete, omitted } = await snapshotSeen(all, sight)
  const waiting = queues.filter(({ pending, deferred, running }) => pending + deferred + running > 0)
  const largest = waiting.sort((a, b) => b.pending + b.deferred - a.pending - a.deferred).slice(0, MAX_QUEUES)
  const firstMs = Math.floor(nowMs / SLOT_MS) * SLOT_MS
  const bounds = Array.from({ length: SLOTS }, (_, i) => firstMs + (i + 1) * SLOT_MS)
  const counts = await Promise.all(
    largest.map(({ queueName: name }) => board.client.queues.dueBy(name, [nowMs, ...bounds, Number.MAX_SAFE_INTEGER])),
  )
  const sum = (i: number) => counts.reduce((total, each) => total + each[i]!, 0)
  const { slots, inexact } = withTicks(workers, queueName, { firstMs, nowMs })
  for (const [i, slot] of slots.entries()) slot.due = sum(i + 1) - sum(i)
  const capacity = capacityOf(queues)
  return {
    queueName,
    nowMs,
    slotMs: SLOT_MS,
    slots,
    dueNow: sum(0),
    later: sum(SLOTS + 1) - sum(SLOTS),
    ...capacity,
    emptiesAt: queueName === null ? null : queues[0]!.emptiesAt,
    limits: [
      'Jobs that are enqueued from now on come on top.',
      'A running job of an arq-ts worker counts where its lease ends.',
      'Ticks of Python cron jobs are not known before they are enqueued.',
      ...inexact.map(
        (name) => `The ticks of "${name}" are more than were computed, or its schedule could not be followed.`,
      ),
      ...(largest.length < waiting.length ? [`It is that of the ${MAX_QUEUES} largest queues alone.`] : []),
      ...(omitted.length > 0 ? [`Known queues that it leaves out: ${omitted.length.toLocaleString('en-US')}.`] : []),
      ...(complete ? [] : ['Queues are still being looked for: there may be more.']),
    ],
  }
}

function withTicks(
  workers: readonly WorkerInfo[],
  queueName: string | null,
  { firstMs, nowMs }: { firstMs: number; nowMs: number },
): { slots: ForecastSlot[]; inexact: string[] } {
  const slots = Array.from({ length: SLOTS }, (_, i): ForecastSlot => {
    return { fromMs: firstMs + i * SLOT_MS, due: 0, ticks: 0, cron: [] }
  })
  const inexact: string[] = []
  for (const job of cronOf(workers)) {
    if (queueName !== null && !job.queues.includes(queueName)) continue
    const { ticks, complete } = ticksBetween(job, nowMs, firstMs + SLOTS * SLOT_MS)
    if (!complete) inexact.push(job.name)
    const bySlot = new Map<number, number>()
    for (const atMs of ticks) {
      const slot = Math.floor((atMs - firstMs) / SLOT_MS)
      bySlot.set(slot, (bySlot.get(slot) ?? 0) + 1)
    }
    for (const [i, count] of bySlot) {
      const slot = slots[i]!
      slot.ticks += count
      if (slot.cron.length < MAX_NAMES) slot.cron.push({ name: job.name, ticks: count })
    }
  }
  return { slots, inexact }
}

/** Capacity by the rate at which jobs ended while these queues had work; null while none was measured. */
function capacityOf(
  queues: readonly QueueRow[],
): Pick<Forecast, 'capacityPerSlot' | 'capacityBasis' | 'workersNeeded'> {
  const unknown = { capacityPerSlot: null, workersNeeded: null }
  const rates = queues.flatMap(({ rates }) => (rates ? [rates] : []))
  if (rates.length < queues.length || rates.length === 0) {
    return { ...unknown, capacityBasis: 'The drain rate is measured once the page was open for ten seconds.' }
  }
  if (rates.some(({ outPerMinute }) => outPerMinute === null)) {
    return {
      ...unknown,
      capacityBasis: 'Python workers report what they ended once an hour, so the drain rate is not known.',
    }
  }
  // A queue that is empty is not worked on at its capacity.
  if (!queues.some(({ pending }) => pending > 0)) {
    return { ...unknown, capacityBasis: 'No job is due: the workers are not at their capacity.' }
  }
  const out = rates.reduce((sum, { outPerMinute }) => sum + outPerMinute!, 0)
  const into = rates.reduce((sum, { inPerMinute }) => sum + inPerMinute!, 0)
  const workers = queues.reduce((sum, row) => sum + row.workers, 0)
  const seconds = Math.round(Math.max(...rates.map(({ overMs }) => overMs)) / 1_000)
  return {
    capacityPerSlot: Math.round((out * SLOT_MS) / 60_000),
    capacityBasis: `Jobs that ended in the last ${seconds} s while jobs were due.`,
    workersNeeded: out > 0 && workers > 0 ? Math.max(1, Math.ceil((into / out) * workers)) : null,
  }
}
