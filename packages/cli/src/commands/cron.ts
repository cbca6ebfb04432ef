import { showId } from '@arq-ts/protocol/jobs'
import type { ListedCron } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { CommandError, EXIT } from '../exit.ts'
import { instantText, namesText, spanText } from '../output.ts'
import type { Column } from '../output.ts'
import { actorOf, withSession } from '../session.ts'
import { styles } from '../style.ts'

const columns = (nowMs: number): readonly Column<ListedCron>[] => [
  { title: 'cron job', cell: ({ name }) => showId(name), min: 12 },
  { title: 'schedule', cell: ({ schedule }) => schedule ?? '–', min: 8, drop: 1 },
  { title: 'next run', cell: (job) => nextText(job, nowMs), min: 19 },
  { title: 'queue', cell: ({ queues }) => queues.map(showId).join(', ') || '–', min: 6 },
  { title: 'workers', cell: ({ workers }) => String(workers.length), align: 'right' },
]

function nextText({ nextMs, pause }: ListedCron, nowMs: number): string {
  if (pause) return styles.yellow(pause.since ? `paused for ${spanText(nowMs - pause.since.getTime())}` : 'paused')
  return nextMs === null ? 'never' : (instantText(nextMs, nowMs) ?? '–')
}

/** A cron job as JSON: `next` is that of its schedule, paused or not. */
function jsonOf({ nextMs, workers, queues, ...job }: ListedCron) {
  const next = nextMs === null ? null : new Date(nextMs)
  return { ...job, next, queueName: queues[0] ?? null, queues, workers: workers.length, workerIds: workers }
}

/** `cron ls` */
export function list(args: GlobalArgs): Promise<number> {
  return withSession(args, async ({ client, out, nowMs }) => {
    const [jobs, { unreadable }] = await Promise.all([client.cron.list(), client.workers.fleet([])])
    const byTime = jobs.sort((a, b) => (a.nextMs ?? Infinity) - (b.nextMs ?? Infinity))
    const incomplete = unreadable.map(({ workerId, reason }) => `the worker ${showId(workerId)}: ${reason}`)
    const none = 'no live arq-ts worker has cron jobs'
    out.list(byTime, columns(nowMs), { name: 'cronJobs', none, incomplete, json: jsonOf })
    if (!out.json) for (const note of advisoryNotes(jobs)) out.note(note)
    return EXIT.ok
  })
}

/** `cron pause` */
export function pause(args: GlobalArgs & { name: string; force?: boolean | undefined }): Promise<number> {
  const { name } = args
  return withSession(args, async ({ client, io, out }) => {
    const known = await client.cron.list()
    if (!args.force && !known.some((job) => job.name === name)) {
      const names = [...new Set(known.map((job) => job.name))]
      const others = names.length === 0 ? 'no live arq-ts worker has cron jobs' : `there are ${namesText(names)}`
      throw new CommandError(
        `no live arq-ts worker has a cron job ${showId(name)}; ${others}`,
        EXIT.no,
        'Use --force to pause it all the same. A cron job of Python workers cannot be paused.',
      )
    }
    const changed = await client.cron.pause(name, { actor: actorOf(io) })
    const jobs = (await client.cron.list()).filter((job) => job.name === name)
    const reach = jobs.some((job) => job.pause?.reach === 'advisory') ? 'advisory' : 'exact'
    out.data({ name, paused: true, changed, reach, jobs: jobs.map(jsonOf) }, () => {
      out.line(changed ? `${showId(name)} is paused` : `${showId(name)} was paused already`)
      for (const note of advisoryNotes(jobs)) out.note(note)
    })
    return EXIT.ok
  })
}

/** `cron resume` */
export function resume(args: GlobalArgs & { name: string }): Promise<number> {
  const { name } = args
  return withSession(args, async ({ client, io, out, nowMs }) => {
    const changed = await client.cron.resume(name, { actor: actorOf(io) })
    const jobs = (await client.cron.list()).filter((job) => job.name === name)
    out.data({ name, paused: false, changed, jobs: jobs.map(jsonOf) }, () => {
      out.line(changed ? `${showId(name)} ticks again` : `${showId(name)} was not paused`)
      const [next] = jobs.map(({ nextMs }) => nextMs ?? Infinity).sort((a, b) => a - b)
      if (next !== undefined && next < Infinity) out.note(`its next tick is due ${instantText(next, nowMs)}`)
    })
    return changed || jobs.length > 0 ? EXIT.ok : EXIT.no
  })
}

function advisoryNotes(jobs: readonly ListedCron[]): string[] {
  return jobs.flatMap(({ name, pause: held }) =>
    held?.because ? [`the pause of ${showId(name)} is advisory: ${held.because}`] : [],
  )
}
