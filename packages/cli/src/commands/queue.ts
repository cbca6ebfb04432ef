import type { QueueStats } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { confirmed } from '../confirm.ts'
import type { BulkArgs } from '../confirm.ts'
import { EXIT } from '../exit.ts'
import { counted, countText, instantText, whenText } from '../output.ts'
import type { Column, Output } from '../output.ts'
import { withSession } from '../session.ts'
import type { Session } from '../session.ts'

const columns = (nowMs: number): readonly Column<QueueStats>[] => [
  ['queue', (queue) => queue.queueName + (queue.paused ? ' (paused)' : '')],
  ['pending', (queue) => countText(queue.pending), 'right'],
  ['deferred', (queue) => countText(queue.deferred), 'right'],
  ['running', (queue) => (queue.exact ? '' : '≥ ') + countText(queue.running), 'right'],
  ['complete', (queue) => countText(queue.complete), 'right'],
  ['failed', (queue) => countText(queue.failed), 'right'],
  ['dead', (queue) => countText(queue.dead), 'right'],
  ['oldest due', (queue) => whenText(queue.oldestDue, nowMs), 'right'],
  ['workers', (queue) => `${queue.workers}${queue.python ? ' + Python' : ''}`, 'right'],
]

/** `queue ls` */
export function list(args: GlobalArgs & { scan?: boolean | undefined }): Promise<number> {
  return withSession(args, async ({ client, out, nowMs, queueNames, address }) => {
    const known = queueNames
    const { names, complete } = await client.queues.names(args.scan ? { known, scanKeys: Infinity } : { known })
    const all = await Promise.all(names.map((name) => client.queues.stats(name)))
    const rows = all.filter((queue) => known.includes(queue.queueName) || isUsed(queue))
    out.rows(rows, columns(nowMs), `no queues at ${address}`)
    if (!complete) out.note('the database is large: queues that no worker tells of may be missing; --scan finds all')
    return EXIT.ok
  })
}

function isUsed(queue: QueueStats): boolean {
  const { pending, deferred, running, complete, failed, dead, workers, paused } = queue
  return paused || [pending, deferred, running, complete, failed, dead, workers].some((count) => count > 0)
}

/** Says so where nothing tells that there is such a queue, for it may be misspelt; true when it did. */
async function noteUnknown({ client, out, queueNames }: Session, queue: QueueStats): Promise<boolean> {
  const { queueName } = queue
  if (queueNames.includes(queueName) || isUsed(queue) || queue.python) return false
  const { names } = await client.queues.names({ known: queueNames })
  const others = names.filter((name) => name !== queueName)
  out.note(`nothing is known of a queue ${queueName}; there are ${others.join(', ')}`)
  return true
}

/** `queue show` */
export function show(args: GlobalArgs & { name?: string | undefined }): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out, nowMs, queueNames } = session
    const queue = await client.queues.stats(args.name ?? queueNames[0]!)
    out.data(queue, () => showQueue(queue, out, nowMs))
    return (await noteUnknown(session, queue)) ? EXIT.no : EXIT.ok
  })
}

function showQueue(queue: QueueStats, out: Output, nowMs: number): void {
  const { colors } = out
  out.fields([
    ['queue', colors.bold(queue.queueName) + (queue.paused ? colors.yellow('  paused') : '')],
    ['pending', countText(queue.pending)],
    ['deferred', countText(queue.deferred)],
    ['running', (queue.exact ? '' : 'at least ') + countText(queue.running)],
    ['complete', countText(queue.complete)],
    ['failed', countText(queue.failed)],
    ['aborted', countText(queue.aborted)],
    ['dead', countText(queue.dead)],
    ['oldest due', instantText(queue.oldestDue, nowMs)],
    ['next due', instantText(queue.nextDue, nowMs)],
    ['workers', `${queue.workers} of arq-ts${queue.python ? ', and Python' : ''}`],
    [
      'Python told',
      queue.python &&
        `${queue.python.complete} complete, ${queue.python.failed} failed, ${queue.python.ongoing} ongoing`,
    ],
  ])
}

/** `queue pause` */
export function pause(args: GlobalArgs & { name?: string | undefined }): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out, queueNames } = session
    const queueName = args.name ?? queueNames[0]!
    const changed = await client.queues.pause(queueName)
    const queue = await client.queues.stats(queueName)
    const { running, python } = queue
    out.data({ queueName, paused: true, changed, running }, () => {
      out.line(changed ? `${queueName} is paused` : `${queueName} was paused already`)
      if (running > 0) out.note(`${counted(running, 'running job')} may go on`)
      if (python) out.note('a Python worker serves this queue: it knows of no pause')
    })
    await noteUnknown(session, { ...queue, paused: false })
    return EXIT.ok
  })
}

/** `queue resume` */
export function resume(args: GlobalArgs & { name?: string | undefined }): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out, queueNames } = session
    const queueName = args.name ?? queueNames[0]!
    const changed = await client.queues.resume(queueName)
    out.data({ queueName, paused: false, changed }, () =>
      out.line(changed ? `${queueName} goes on` : `${queueName} was not paused`),
    )
    if (!changed) await noteUnknown(session, await client.queues.stats(queueName))
    return EXIT.ok
  })
}

/** `queue purge` */
export function purge(args: GlobalArgs & BulkArgs & { name: string }): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out } = session
    const queue = await client.queues.stats(args.name)
    await noteUnknown(session, queue)
    const count = queue.pending + queue.deferred
    const go = await confirmed(`remove ${counted(count, 'job')} of ${args.name} for good`, args, out)
    const shown = (done: number) => out.note(`${countText(done)} of ${countText(count)} removed`)
    let told = 0
    const removed = go
      ? await client.queues.purge(args.name, (done) => {
          if (done - told >= 50_000) shown((told = done))
        })
      : 0
    out.data({ queueName: args.name, removed, matching: count, dryRun: args.dryRun === true }, () => {
      if (go) out.line(`${counted(removed, 'job')} removed from ${args.name}`)
    })
    return EXIT.ok
  })
}
