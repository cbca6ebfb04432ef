import type { Client, Job } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { audited } from '../audit.ts'
import { confirmed } from '../confirm.ts'
import type { BulkArgs } from '../confirm.ts'
import { CommandError, EXIT } from '../exit.ts'
import { callText, counted, whenText } from '../output.ts'
import type { Column } from '../output.ts'
import { withSession } from '../session.ts'
import type { Session } from '../session.ts'
import { loadPackage } from '../load-package.ts'

/** Parts of @arq-ts/qdrant that the command uses; the CLI does not depend on it. */
interface Deletion {
  collection: string
  jobId: string
  queueName: string
  enqueuedAt: Date
  dueAt: Date
  gracePeriodMinutes: number
}
interface Deletions {
  list(): Promise<Deletion[]>
  keep(collection: string): Promise<{ removed: Deletion[]; running: Deletion[] }>
  deleteNow(collection: string): Promise<Job<{ status: string; reason?: string; error?: string }>>
}
interface QdrantModule {
  ScheduledDeletions: new (options: { client: Client; queueNames: readonly string[] }) => Deletions
}
type Args = GlobalArgs & { queue?: readonly string[] | undefined }

const PACKAGE = '@arq-ts/qdrant'

function withDeletions(
  args: Args,
  work: (session: Session & { deletions: Deletions }) => Promise<number>,
): Promise<number> {
  return withSession(args, async (session) => {
    const { client, loaded } = session
    const { ScheduledDeletions } = await loadPackage<QdrantModule>(PACKAGE, 'collections', loaded.file)
    const queueNames = args.queue ?? session.queueNames
    return work({ ...session, deletions: new ScheduledDeletions({ client, queueNames }) })
  })
}

const columns = (nowMs: number): readonly Column<Deletion>[] => [
  { title: 'collection', cell: ({ collection }) => collection, min: 12 },
  { title: 'deleted', cell: ({ dueAt }) => whenText(dueAt, nowMs) },
  { title: 'asked for', cell: ({ enqueuedAt }) => whenText(enqueuedAt, nowMs) },
  { title: 'grace', cell: ({ gracePeriodMinutes }) => `${gracePeriodMinutes} min`, align: 'right' },
  { title: 'queue', cell: ({ queueName }) => queueName, min: 6, drop: 1 },
  { title: 'job', cell: ({ jobId }) => jobId, min: 8 },
]

/** `collections ls` */
export function list(args: Args): Promise<number> {
  return withDeletions(args, async ({ deletions, nowMs, out }) => {
    const options = { name: 'deletions', none: 'no deletion is scheduled' }
    out.list(await deletions.list(), columns(nowMs), options)
    return EXIT.ok
  })
}

/** `collections keep` */
export function keep(args: Args & { collection: string }): Promise<number> {
  return withDeletions(args, async (session) => {
    const { deletions, out } = session
    const { collection } = args
    const text = `cancel the deletion of the collection "${collection}"`
    const entry = { action: 'cancel-deletion', kind: 'collection', names: [collection], text }
    const { removed, running } = await audited(session, entry, () => deletions.keep(collection))
    out.data({ collection, removed, running }, () => {
      if (removed.length > 0) out.line(`'${collection}' is kept: ${counted(removed.length, 'deletion')} cancelled`)
      if (running.length > 0)
        out.note(`a deletion of '${collection}' is running and was asked to abort; see whether the collection is there`)
      if (removed.length + running.length === 0) out.note(`no deletion of '${collection}' is scheduled`)
    })
    return removed.length > 0 && running.length === 0 ? EXIT.ok : EXIT.no
  })
}

/** `collections delete-now` */
export function deleteNow(
  args: Args & BulkArgs & { collection: string; wait?: boolean | undefined; timeout: number },
): Promise<number> {
  return withDeletions(args, async (session) => {
    const { deletions, out } = session
    const { collection } = args
    const scheduled = (await deletions.list()).filter((deletion) => deletion.collection === collection)
    if (scheduled.length === 0) throw new CommandError(`no deletion of '${collection}' is scheduled`, EXIT.no)
    if (!(await confirmed(`delete '${collection}' now, unless an alias points to it`, args, out))) return EXIT.ok
    const text = `delete the collection "${collection}" now`
    const entry = { action: 'delete-now', kind: 'collection', names: [collection], text }
    const job = await audited(session, entry, () => deletions.deleteNow(collection))
    const result = args.wait ? await job.result({ timeoutMs: args.timeout }) : null
    out.data({ collection, jobId: job.jobId, result }, () =>
      out.line(
        result === null
          ? `'${collection}' is due now: job ${job.jobId}`
          : `'${collection}': ${callText([result], {}, 300)}`,
      ),
    )
    return result === null || result.status === 'success' ? EXIT.ok : EXIT.no
  })
}
