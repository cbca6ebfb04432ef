import { showId } from '@arq-ts/protocol/jobs'
import { groupDead } from '@arq-ts/core'
import type { DeadFilter, DeadGroup, DeadLetter, DeadLetterSummary } from '@arq-ts/core'
import type { DeadFilterArgs, GlobalArgs } from '../args.ts'
import { audited } from '../audit.ts'
import type { AuditedAct } from '../audit.ts'
import { confirmed } from '../confirm.ts'
import type { BulkArgs } from '../confirm.ts'
import { CommandError, EXIT } from '../exit.ts'
import { callText, counted, countText, instantText, whenText } from '../output.ts'
import type { Column } from '../output.ts'
import { withSession } from '../session.ts'
import { refusalIn } from './job-bulk.ts'

const columns = (nowMs: number): readonly Column<DeadLetter>[] => [
  { title: 'job', cell: (letter) => showId(letter.jobId), min: 8 },
  { title: 'function', cell: (letter) => letter.functionName, min: 8 },
  { title: 'queue', cell: (letter) => showId(letter.queueName), min: 6, drop: 1 },
  { title: 'tries', cell: (letter) => String(letter.jobTry), align: 'right', drop: 2 },
  { title: 'failed', cell: (letter) => whenText(letter.failedAt, nowMs) },
  { title: 'error', cell: (letter) => letter.error || letter.problems.join('; '), min: 16 },
]

const groupColumns = (by: string, nowMs: number): readonly Column<DeadGroup>[] => [
  { title: 'dead', cell: (group) => countText(group.count), align: 'right' },
  { title: by, cell: (group) => group.key || '–', min: 16 },
  ...(by === 'function'
    ? []
    : [{ title: 'functions', cell: (group: DeadGroup) => group.functionNames.join(', '), min: 8, drop: 1 }]),
  { title: 'first', cell: (group) => whenText(group.firstAt, nowMs), drop: 2 },
  { title: 'last', cell: (group) => whenText(group.lastAt, nowMs) },
  { title: 'for example', cell: (group) => showId(group.example), min: 8 },
]

/** `dead ls` */
export function list(
  args: GlobalArgs & DeadFilterArgs & { limit: number; groupBy?: 'function' | 'error' | 'queue' | undefined },
): Promise<number> {
  return withSession(args, async ({ client, out, nowMs }) => {
    const showLetters = (letters: readonly DeadLetter[], total: number) => {
      const incomplete = total > args.limit ? [more(args.limit, total)] : []
      const options = { name: 'deadLetters', none: 'no dead letters', incomplete, extra: { total } }
      out.list(letters, columns(nowMs), options)
    }
    const filter = filterOf(args)
    if (!args.groupBy && Object.keys(filter).length === 0) {
      const [letters, total] = [await client.deadLetters.list({ limit: args.limit }), await client.deadLetters.count()]
      showLetters(letters, total)
      return EXIT.ok
    }
    if (args.groupBy) {
      const letters = await client.deadLetters.summaries(filter)
      const total = letters.length
      const groups = groupDead(letters, args.groupBy)
      const incomplete = groups.length > args.limit ? [more(args.limit, groups.length)] : []
      const options = { name: 'groups', none: 'no dead letters', incomplete, extra: { total } }
      out.list(groups.slice(0, args.limit), groupColumns(args.groupBy, nowMs), options)
      return EXIT.ok
    }
    const letters = await client.deadLetters.list({ ...filter, limit: Infinity })
    showLetters(letters.slice(0, args.limit), letters.length)
    return EXIT.ok
  })
}

function more(limit: number, total: number): string {
  return `${countText(limit)} of ${countText(total)}; --limit shows more`
}

/** `dead show` */
export function show(args: GlobalArgs & { id: string }): Promise<number> {
  return withSession(args, async ({ client, out, nowMs }) => {
    const letter = await client.deadLetters.get(args.id)
    if (!letter) throw new CommandError(`no dead letter ${showId(args.id)}; arq-ts dead ls shows all`, EXIT.no)
    const { job } = letter
    out.data(letter, () =>
      out.fields([
        ['job', out.colors.bold(showId(letter.jobId))],
        ['function', letter.functionName],
        ['arguments', job ? callText(job.args, job.kwargs, 500) : 'the payload is gone, or no codec reads it'],
        ['queue', showId(letter.queueName)],
        ['tries', String(letter.jobTry)],
        ['enqueued', instantText(job?.enqueueTime ?? null, nowMs)],
        ['failed', instantText(letter.failedAt, nowMs)],
        ['error', out.colors.red(letter.error)],
        ...letter.problems.map((problem) => ['problem', out.colors.red(problem)] as const),
      ]),
    )
    return EXIT.ok
  })
}

type BulkDeadArgs = GlobalArgs &
  DeadFilterArgs &
  BulkArgs & { ids?: readonly string[] | undefined; all?: boolean | undefined }

/** `dead retry` */
export function retry(args: BulkDeadArgs & { delay?: number | undefined }): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out } = session
    const letters = await client.deadLetters.summaries(chosen(args))
    const text = `retry ${counted(letters.length, 'dead letter')}`
    const isAgreed = letters.length > 0 && (await confirmed(text, args, out))
    const refused = notAmong(letters, args.ids)
    let retried = 0
    const act = async () => {
      for (const { jobId } of letters) {
        try {
          if (await client.jobs.retry(jobId, args.delay === undefined ? {} : { delayMs: args.delay })) retried++
          else refused.push({ jobId, error: 'queued or running already' })
        } catch (error) {
          refused.push({ jobId, error: refusalIn(error) })
        }
      }
    }
    if (isAgreed) await audited(session, entryOf('retry', letters, text), act)
    out.data({ matching: letters.length, retried, refused, dryRun: args.dryRun === true }, () => {
      if (letters.length === 0) out.note('no dead letters match')
      else if (isAgreed) out.line(`${counted(retried, 'job')} queued again`)
      for (const { jobId, error } of refused) out.note(`${showId(jobId)}: ${error}`)
    })
    return letters.length > 0 && refused.length === 0 ? EXIT.ok : EXIT.no
  })
}

/** `dead purge` */
export function purge(args: BulkDeadArgs): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out } = session
    const letters = await client.deadLetters.summaries(chosen(args))
    const what = `remove ${counted(letters.length, 'dead letter')} for good`
    const isAgreed = letters.length > 0 && (await confirmed(what, args, out))
    const purge = () => client.deadLetters.purge({ jobIds: letters.map((letter) => letter.jobId) })
    const purged = isAgreed ? await audited(session, entryOf('remove', letters, what), purge) : 0
    const refused = notAmong(letters, args.ids)
    out.data({ matching: letters.length, purged, refused, dryRun: args.dryRun === true }, () => {
      if (letters.length === 0) out.note('no dead letters match')
      else if (isAgreed) out.line(`${counted(purged, 'dead letter')} removed`)
      for (const { jobId, error } of refused) out.note(`${showId(jobId)}: ${error}`)
    })
    return letters.length > 0 && refused.length === 0 ? EXIT.ok : EXIT.no
  })
}

function entryOf(action: string, letters: readonly DeadLetterSummary[], text: string): AuditedAct {
  return { action, kind: 'job', names: letters.map(({ jobId }) => jobId), text }
}

interface Refused {
  jobId: string
  error: string
}

/** Ids that were asked for, and are of no letter that matches. */
function notAmong(letters: readonly DeadLetterSummary[], ids: readonly string[] = []): Refused[] {
  const found = new Set(letters.map((letter) => letter.jobId))
  return ids.filter((id) => !found.has(id)).map((jobId) => ({ jobId, error: 'no dead letter that matches' }))
}

/** Nothing given must not mean all. */
function chosen(args: BulkDeadArgs): DeadFilter {
  const filter = filterOf(args)
  if (Object.keys(filter).length === 0 && !args.all) {
    throw new CommandError('choose dead letters: ids, --function, --queue, --error, --older-than, or --all')
  }
  return filter
}

function filterOf(args: DeadFilterArgs & { ids?: readonly string[] | undefined }): DeadFilter {
  return {
    ...(args.ids?.length ? { jobIds: args.ids } : {}),
    ...(args.function === undefined ? {} : { functionName: args.function }),
    ...(args.queue === undefined ? {} : { queueName: args.queue }),
    ...(args.error === undefined ? {} : { error: args.error }),
    ...(args.olderThan === undefined ? {} : { olderThanMs: args.olderThan }),
  }
}
