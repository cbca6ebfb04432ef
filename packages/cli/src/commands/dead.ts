import { ArqError } from '@arq-ts/core'
import type { DeadFilter, DeadLetter } from '@arq-ts/core'
import type { DeadFilterArgs, GlobalArgs } from '../args.ts'
import { confirmed } from '../confirm.ts'
import type { BulkArgs } from '../confirm.ts'
import { CommandError, EXIT } from '../exit.ts'
import { callText, counted, countText, instantText, whenText } from '../output.ts'
import type { Column } from '../output.ts'
import { withSession } from '../session.ts'

const columns = (nowMs: number): readonly Column<DeadLetter>[] => [
  ['job', (letter) => letter.jobId],
  ['function', (letter) => letter.functionName],
  ['queue', (letter) => letter.queueName],
  ['tries', (letter) => String(letter.jobTry), 'right'],
  ['failed', (letter) => whenText(letter.failedAt, nowMs)],
  ['error', (letter) => (letter.error.length > 70 ? `${letter.error.slice(0, 69)}…` : letter.error)],
]

/** `dead ls` */
export function list(args: GlobalArgs & DeadFilterArgs & { limit: number }): Promise<number> {
  return withSession(args, async ({ client, out, nowMs }) => {
    const letters = await client.inspector.findDead(filterOf(args))
    out.rows(letters.slice(0, args.limit), columns(nowMs), 'no dead letters')
    if (letters.length > args.limit) out.note(`${args.limit} of ${countText(letters.length)}; --limit shows more`)
    return EXIT.ok
  })
}

/** `dead show` */
export function show(args: GlobalArgs & { id: string }): Promise<number> {
  return withSession(args, async ({ client, out, nowMs }) => {
    const letter = await client.inspector.deadLetter(args.id)
    if (!letter) throw new CommandError(`no dead letter ${args.id}; arq-ts dead ls shows all`, EXIT.no)
    const { job } = letter
    out.data(letter, () =>
      out.fields([
        ['job', out.colors.bold(letter.jobId)],
        ['function', letter.functionName],
        ['arguments', job ? callText(job.args, job.kwargs, 500) : 'the payload is gone, or no codec reads it'],
        ['queue', letter.queueName],
        ['tries', String(letter.jobTry)],
        ['enqueued', instantText(job?.enqueueTime ?? null, nowMs)],
        ['failed', instantText(letter.failedAt, nowMs)],
        ['error', out.colors.red(letter.error)],
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
  return withSession(args, async ({ client, out }) => {
    const letters = await client.inspector.findDead(chosen(args))
    const go = letters.length > 0 && (await confirmed(`retry ${counted(letters.length, 'dead letter')}`, args, out))
    const refused = notAmong(letters, args.ids)
    let retried = 0
    for (const { jobId } of go ? letters : []) {
      try {
        if (await client.inspector.retryJob(jobId, args.delay === undefined ? {} : { delayMs: args.delay })) retried++
        else refused.push({ jobId, error: 'queued or running already' })
      } catch (error) {
        if (!(error instanceof ArqError)) throw error
        refused.push({ jobId, error: error.message })
      }
    }
    out.data({ matching: letters.length, retried, refused, dryRun: args.dryRun === true }, () => {
      if (letters.length === 0) out.note('no dead letters fit')
      else if (go) out.line(`${counted(retried, 'job')} queued again`)
      for (const { jobId, error } of refused) out.note(`${jobId}: ${error}`)
    })
    return letters.length > 0 && refused.length === 0 ? EXIT.ok : EXIT.no
  })
}

/** `dead purge` */
export function purge(args: BulkDeadArgs): Promise<number> {
  return withSession(args, async ({ client, out }) => {
    const letters = await client.inspector.findDead(chosen(args))
    const what = `remove ${counted(letters.length, 'dead letter')} for good`
    const go = letters.length > 0 && (await confirmed(what, args, out))
    const purged = go ? await client.inspector.purgeDead(letters.map((letter) => letter.jobId)) : 0
    const refused = notAmong(letters, args.ids)
    out.data({ matching: letters.length, purged, refused, dryRun: args.dryRun === true }, () => {
      if (letters.length === 0) out.note('no dead letters fit')
      else if (go) out.line(`${counted(purged, 'dead letter')} removed`)
      for (const { jobId, error } of refused) out.note(`${jobId}: ${error}`)
    })
    return letters.length > 0 && refused.length === 0 ? EXIT.ok : EXIT.no
  })
}

interface Refused {
  jobId: string
  error: string
}

/** Ids that were asked for, and are of no letter that fits. */
function notAmong(letters: readonly DeadLetter[], ids: readonly string[] = []): Refused[] {
  const found = new Set(letters.map((letter) => letter.jobId))
  return ids.filter((id) => !found.has(id)).map((jobId) => ({ jobId, error: 'no dead letter that fits' }))
}

/** Nothing given must not mean all. */
function chosen(args: BulkDeadArgs): DeadFilter {
  const filter = filterOf(args)
  if (Object.keys(filter).length === 0 && !args.all) {
    throw new CommandError('say which: ids, --function, --queue, --error, --older-than, or --all')
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
