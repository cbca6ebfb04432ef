import { showId } from '@arq-ts/protocol/jobs'
import type { QueueStats } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { audited } from '../audit.ts'
import { confirmed } from '../confirm.ts'
import type { BulkArgs } from '../confirm.ts'
import { CommandError, EXIT } from '../exit.ts'
import { counted, countText, instantText, namesText, numberText, whenText } from '../output.ts'
import type { Column, Fields, Output } from '../output.ts'
import { styles } from '../style.ts'
import { searchOf, UNSEEN_QUEUES, withSession } from '../session.ts'
import type { Session } from '../session.ts'

/** Number of queues without a worker that are named below the table. */
const MAX_UNHEARD = 5

const columns = (nowMs: number): readonly Column<QueueStats>[] => [
  {
    title: 'queue',
    cell: (queue) =>
      showId(queue.queueName) + (queue.problems.length > 0 ? ' (damaged)' : '') + (queue.paused ? ' (paused)' : ''),
    min: 12,
  },
  { title: 'queued', cell: (queue) => jobsIn(queue, queue.pending, '≤ '), align: 'right' },
  { title: 'deferred', cell: (queue) => jobsIn(queue, queue.deferred, '≤ '), align: 'right' },
  { title: 'running', cell: (queue) => jobsIn(queue, queue.running, '≥ '), align: 'right' },
  { title: 'complete', cell: (queue) => countText(queue.complete), align: 'right', drop: 3 },
  { title: 'failed', cell: (queue) => countText(queue.failed), align: 'right', drop: 2 },
  { title: 'dead', cell: (queue) => countText(queue.dead), align: 'right' },
  { title: 'oldest due', cell: (queue) => oldestText(queue, nowMs), align: 'right', drop: 1 },
  { title: 'workers', cell: (queue) => `${queue.workers}${queue.python ? ' + Python' : ''}`, align: 'right' },
]

/** A number of jobs, with a sign where it is a bound; unknown where the queue cannot be read. */
export function jobsIn({ readable, exact }: QueueStats, count: number, bound: '≤ ' | '≥ '): string {
  return readable ? (exact ? '' : bound) + countText(count) : '?'
}

function oldestText({ oldestDueMs }: QueueStats, nowMs: number): string {
  return oldestDueMs === null ? '–' : whenText(oldestDueMs, nowMs)
}

/** `queue ls` */
export function list(args: GlobalArgs & { deep?: boolean | undefined; limit: number }): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out, nowMs, queueNames, address } = session
    const { names, complete } = await client.queues.names(searchOf(session, args))
    // Queues of the configuration are counted whatever their names.
    const order = [...names].sort((a, b) => Number(queueNames.includes(b)) - Number(queueNames.includes(a)))
    const all = await client.queues.statsOf(order.slice(0, args.limit).sort())
    const rows = all.filter((queue) => queueNames.includes(queue.queueName) || isUsed(queue))
    const incomplete = complete ? [] : [`${UNSEEN_QUEUES}; --deep looks at all`]
    if (names.length > args.limit)
      incomplete.push(`${countText(args.limit)} of ${countText(names.length)} queues, by name; --limit counts more`)
    for (const { readable, problems } of rows) if (!readable) incomplete.push(...problems)
    out.list(rows, columns(nowMs), { name: 'queues', none: `no queues at ${address}`, incomplete })
    if (out.json) return EXIT.ok
    noteProblems(
      rows.filter(({ readable }) => readable),
      out,
    )
    if (incomplete.length === 0 && rows.length > 0 && !rows.some(isUsed))
      out.note(`no job and no live worker at ${address}; --redis names another database or server`)
    const unheard = rows.filter((queue) => nobodyListens(queue) && queue.pending > 0)
    for (const { queueName, pending } of unheard.slice(0, MAX_UNHEARD))
      out.note(
        `nothing listens to ${showId(queueName)}: ${counted(pending, 'job')} due, no live worker of either language`,
      )
    if (unheard.length > MAX_UNHEARD)
      out.note(`nothing listens to ${countText(unheard.length - MAX_UNHEARD)} more queues`)
    return EXIT.ok
  })
}

/** True for a queue with jobs that no live worker of either language serves. */
export function nobodyListens({ pending, deferred, workers, python }: QueueStats): boolean {
  return workers === 0 && python === null && pending + deferred > 0
}

function noteProblems(queues: readonly QueueStats[], out: Output): void {
  for (const queue of queues) for (const problem of queue.problems) out.note(problem)
}

function isUsed(queue: QueueStats): boolean {
  const { pending, deferred, running, complete, failed, dead, workers, paused, python, problems } = queue
  const counts = [pending, deferred, running, complete, failed, dead, workers, problems.length]
  return paused || python !== null || counts.some((count) => count > 0)
}

/** Says that there is no such queue, and which there are; null when there is one. */
async function whyUnknown(session: Session, queue: QueueStats): Promise<string | null> {
  const { client, queueNames } = session
  const { queueName } = queue
  if (queueNames.includes(queueName) || isUsed(queue)) return null
  const { names } = await client.queues.names(searchOf(session))
  const others = names.filter((name) => name !== queueName)
  return `nothing is known of a queue ${showId(queueName)}; there are ${namesText(others)}`
}

/** `queue show` */
export function show(args: GlobalArgs & { name?: string | undefined }): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out, nowMs, queueNames } = session
    const queue = await client.queues.stats(args.name ?? queueNames[0]!)
    out.data(queue, () => out.fields(queueFields(queue, nowMs)))
    if (!out.json) noteProblems([queue], out)
    const unknown = await whyUnknown(session, queue)
    if (unknown !== null) out.note(unknown)
    return unknown === null ? EXIT.ok : EXIT.no
  })
}

/** Everything about a queue, for a person. */
export function queueFields(queue: QueueStats, nowMs: number): Fields {
  return [
    ['queue', styles.bold(showId(queue.queueName)) + (queue.paused ? styles.yellow('  paused') : '')],
    ['queued', jobsIn(queue, queue.pending, '≤ ')],
    ['deferred', jobsIn(queue, queue.deferred, '≤ ')],
    ['running', jobsIn(queue, queue.running, '≥ ')],
    ['complete', countText(queue.complete)],
    ['failed', countText(queue.failed)],
    ['aborted', countText(queue.aborted)],
    ['dead', countText(queue.dead)],
    ['oldest due', instantText(queue.oldestDueMs, nowMs)],
    ['next due', instantText(queue.nextDueMs, nowMs)],
    ['workers', `${queue.workers} of arq-ts${queue.python ? ', and Python' : ''}`],
    [
      'Python reports',
      queue.python &&
        `${queue.python.complete} complete, ${queue.python.failed} failed, ${queue.python.ongoing} running`,
    ],
  ]
}

/** `queue pause` */
export function pause(args: GlobalArgs & { name?: string | undefined; force?: boolean | undefined }): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out, queueNames } = session
    const queueName = args.name ?? queueNames[0]!
    const before = await client.queues.stats(queueName)
    const unknown = await whyUnknown(session, before)
    if (unknown !== null && !args.force)
      throw new CommandError(unknown, EXIT.no, 'Use --force to pause it all the same.')
    const entry = { action: 'pause', kind: 'queue', names: [queueName] }
    const changed = await audited(session, entry, () => client.queues.pause(queueName))
    const { running, python } = await client.queues.stats(queueName)
    out.data({ queueName, paused: true, changed, running }, () => {
      const name = showId(queueName)
      out.line(changed ? `${name} is paused` : `${name} was paused already`)
      if (running > 0) out.note(`${counted(running, 'running job')} may continue`)
      if (python) out.note('a Python worker serves this queue: it knows of no pause')
    })
    return EXIT.ok
  })
}

/** `queue resume` */
export function resume(args: GlobalArgs & { name?: string | undefined }): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out, queueNames } = session
    const queueName = args.name ?? queueNames[0]!
    const entry = { action: 'resume', kind: 'queue', names: [queueName] }
    const changed = await audited(session, entry, () => client.queues.resume(queueName))
    const name = showId(queueName)
    out.data({ queueName, paused: false, changed }, () =>
      out.line(changed ? `${name} resumed` : `${name} was not paused`),
    )
    const unknown = changed ? null : await whyUnknown(session, await client.queues.stats(queueName))
    if (unknown !== null) out.note(unknown)
    return unknown === null ? EXIT.ok : EXIT.no
  })
}

/** `queue purge` */
export function purge(args: GlobalArgs & BulkArgs & { name: string }): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out } = session
    const queue = await client.queues.stats(args.name)
    const unknown = await whyUnknown(session, queue)
    if (unknown !== null) out.note(unknown)
    const name = showId(args.name)
    const count = queue.pending + queue.deferred
    const text = `remove ${counted(count, 'job')} of ${name} for good`
    const isAgreed = await confirmed(text, args, out)
    const progress = out.progress(`removed of ${countText(count)}`)
    const purge = () => client.queues.purge(args.name, { all: true, onProgress: progress.update })
    const entry = { action: 'remove', kind: 'queue', names: [args.name], count, text }
    const removed = isAgreed ? await audited(session, entry, purge) : 0
    progress.done()
    out.data({ queueName: args.name, removed, matching: count, dryRun: args.dryRun === true }, () => {
      if (isAgreed) out.line(`${counted(removed, 'job')} removed from ${name}`)
    })
    return EXIT.ok
  })
}

/** A score as a list shows it. */
export function scoreText(score: number | null, nowMs: number): string {
  if (score === null) return '–'
  return Number.isFinite(score) ? whenText(score, nowMs) : numberText(score)
}
