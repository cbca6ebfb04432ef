import { showId } from '@arq-ts/protocol/jobs'
import { ArqError, RedisUnavailableError, TimeoutError } from '@arq-ts/core/client'
import type { JobState } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { audited } from '../audit.ts'
import { confirmed } from '../confirm.ts'
import type { BulkArgs } from '../confirm.ts'
import { CommandError, EXIT } from '../exit.ts'
import { counted } from '../output.ts'
import { withSession } from '../session.ts'
import type { Session } from '../session.ts'
import { checkChosen, findJobs, jobsText } from './job-list.ts'
import type { JobFilterArgs } from './job-list.ts'
import { noteUnserved } from '../unserved.ts'

/** Flags of verbs that act on many jobs. */
export type BulkJobArgs = GlobalArgs &
  BulkArgs &
  JobFilterArgs & { ids?: readonly string[] | undefined; all?: boolean | undefined }

/** A job that a verb is about. */
interface Target {
  jobId: string
  /** Null where it is in no queue. */
  queueName: string | null
}

interface Refused {
  jobId: string
  reason: string
}

/** Act of a verb: `act` does it to jobs of one queue, and returns why it did not, or null, for each. */
interface Verb {
  /** In the audit log. */
  action: string
  /** In the question and the dry run: `abort 3 jobs`. */
  name: string
  /** In the answer: `3 jobs aborted`. */
  done: string
  /** States that it is about, where only a filter says which jobs are meant. */
  statuses: readonly JobState[]
  act: (session: Session, queueName: string | null, jobIds: readonly string[]) => Promise<(string | null)[]>
  /** The queue that all jobs go to. */
  into?: string
}

/** Jobs that one call acts on at a time. */
const BATCH = 500

async function run(args: BulkJobArgs, verb: Verb): Promise<number> {
  const ids = args.ids ?? []
  checkChosen(ids, args)
  return withSession(args, async (session) => {
    const { out } = session
    const { targets, text, incomplete } =
      ids.length > 0 ? await byIds(session, ids, args) : await byFilter(session, args, verb)
    const isSure = ids.length > 0 && !args.dryRun
    const isAgreed = targets.length > 0 && (isSure || (await confirmed(`${verb.name} ${text}`, args, out)))
    const refused: Refused[] = []
    let done = 0
    const progress = out.progress(`${verb.done} of ${targets.length}`)
    const act = async () => {
      for (const [queueName, jobIds] of byQueue(targets)) {
        for (let from = 0; from < jobIds.length; from += BATCH) {
          const batch = jobIds.slice(from, from + BATCH)
          const reasons = await unlessRefused(batch, () => verb.act(session, queueName, batch))
          for (const [i, reason] of reasons.entries()) {
            if (reason === null) done++
            else refused.push({ jobId: batch[i]!, reason })
          }
          progress.update(done)
        }
      }
    }
    const names = targets.map(({ jobId }) => jobId)
    const entry = { action: verb.action, kind: 'job', names, text: `${verb.name} ${text}` }
    if (isAgreed) await audited(session, entry, act)
    progress.done()
    if (verb.into !== undefined && targets.length > 0) await noteUnserved(session, verb.into)
    const answer = { matching: targets.length, done, refused, dryRun: args.dryRun === true }
    out.data({ ...answer, complete: incomplete.length === 0, incomplete }, () => {
      if (targets.length === 0) out.note('no jobs match')
      else if (isAgreed && ids.length === 1 && done === 1) out.line(`${showId(ids[0]!)} ${verb.done}`)
      else if (isAgreed) out.line(`${counted(done, 'job')} ${verb.done}`)
      for (const { jobId, reason } of refused.slice(0, 20)) out.note(`${showId(jobId)}: ${reason}`)
      if (refused.length > 20) out.note(`and ${counted(refused.length - 20, 'other job')} refused; --json names all`)
      for (const what of incomplete) out.note(`incomplete: ${what}`)
    })
    return targets.length > 0 && refused.length === 0 ? EXIT.ok : EXIT.no
  })
}

/** Outcome of an act for each job. A queue that refuses the act as a whole, by a damaged key, does not stop the others. */
async function unlessRefused(
  jobIds: readonly string[],
  act: () => Promise<(string | null)[]>,
): Promise<(string | null)[]> {
  try {
    return await act()
  } catch (error) {
    const reason = refusalIn(error)
    return jobIds.map(() => reason)
  }
}

/** Reason why one job was refused. @throws what concerns all of them: a Redis that is away, and what is no refusal. */
export function refusalIn(error: unknown): string {
  if (error instanceof ArqError && !(error instanceof RedisUnavailableError)) return error.message
  throw error
}

type Chosen = { targets: Target[]; text: string; incomplete: string[] }

async function byIds({ client }: Session, ids: readonly string[], args: BulkJobArgs): Promise<Chosen> {
  const queues = args.queue === undefined ? await client.jobs.queuesOf(ids) : undefined
  const targets = [...new Set(ids)].map((jobId) => ({ jobId, queueName: args.queue ?? queues?.get(jobId) ?? null }))
  return { targets, text: counted(targets.length, 'job'), incomplete: [] }
}

async function byFilter(session: Session, args: BulkJobArgs, verb: Verb): Promise<Chosen> {
  const meant = { ...args, status: args.status?.length ? args.status : verb.statuses }
  const { jobs, incomplete } = await findJobs(session, meant, Infinity)
  const targets = jobs.map(({ jobId, queueName }) => ({ jobId, queueName }))
  return { targets, text: jobsText(jobs), incomplete }
}

function byQueue(targets: readonly Target[]): Map<string | null, string[]> {
  const queues = new Map<string | null, string[]>()
  for (const { jobId, queueName } of targets) {
    const ids = queues.get(queueName) ?? []
    ids.push(jobId)
    queues.set(queueName, ids)
  }
  return queues
}

const WAITING: readonly JobState[] = ['queued', 'deferred', 'retrying']

/** `job rm` */
export function remove(args: BulkJobArgs & { force?: boolean | undefined }): Promise<number> {
  const force = args.force === true
  return run(args, {
    action: 'remove',
    name: 'remove for good, with everything that is kept of them,',
    done: 'removed',
    statuses: force ? [...WAITING, 'running'] : WAITING,
    act: async ({ client }, queueName, jobIds) => {
      const outcomes = await client.jobs.removeMany(queueName ?? '', jobIds, { force })
      return outcomes.map((outcome) =>
        outcome === 'removed' ? null : outcome === 'absent' ? 'no such job' : 'it runs: abort it, or --force',
      )
    },
  })
}

/** `job run-now` */
export function runNow(args: BulkJobArgs): Promise<number> {
  return run(args, {
    action: 'run-now',
    name: 'make due now',
    done: 'due now',
    statuses: ['deferred', 'retrying'],
    act: async ({ client }, queueName, jobIds) => {
      if (queueName === null) return jobIds.map(() => 'it is in no queue')
      return (await client.jobs.runNow(queueName, jobIds)).map((outcome) => MOVE_REASONS[outcome])
    },
  })
}

/** `job move` */
export function move(args: BulkJobArgs & { to: string }): Promise<number> {
  const to = showId(args.to)
  return run(args, {
    action: 'move',
    name: `move to ${to}`,
    done: `moved to ${to}`,
    statuses: WAITING,
    into: args.to,
    act: async ({ client }, queueName, jobIds) => {
      if (queueName === null) return jobIds.map(() => 'it is in no queue')
      if (queueName === args.to) return jobIds.map(() => 'it is there already')
      return (await client.jobs.move(queueName, args.to, jobIds)).map((outcome) => MOVE_REASONS[outcome])
    },
  })
}

const MOVE_REASONS = {
  moved: null,
  absent: 'it is in no queue any more',
  running: 'it runs',
  taken: 'the other queue has a job of that id',
} as const

/** `job retry` */
export function retry(args: BulkJobArgs & { delay?: number | undefined }): Promise<number> {
  const options = args.delay === undefined ? {} : { delayMs: args.delay }
  return run(args, {
    action: 'retry',
    name: 'run again',
    done: 'queued again',
    statuses: ['failed', 'aborted', 'dead'],
    act: async ({ client }, _queueName, jobIds) => {
      const reasons: (string | null)[] = []
      for (const jobId of jobIds) {
        try {
          reasons.push((await client.jobs.retry(jobId, options)) ? null : 'it is queued or running already')
        } catch (error) {
          reasons.push(refusalIn(error))
        }
      }
      return reasons
    },
  })
}

/** `job abort`: one job is waited for, of several the abort is asked for. */
export function abort(args: BulkJobArgs & { timeout: number }): Promise<number> {
  if (args.ids?.length === 1 && !args.dryRun) return abortOne(args, args.ids[0]!)
  return run(args, {
    action: 'abort',
    name: 'abort',
    done: 'asked to abort',
    statuses: [...WAITING, 'running'],
    act: async ({ client }, queueName, jobIds) => {
      const reasons: (string | null)[] = []
      for (const jobId of jobIds) {
        try {
          const isAsked = await client.jobs.requestAbort(jobId, queueName === null ? {} : { queueName })
          reasons.push(isAsked ? null : 'it is neither queued nor running')
        } catch (error) {
          reasons.push(refusalIn(error))
        }
      }
      return reasons
    },
  })
}

function abortOne(args: BulkJobArgs & { timeout: number }, jobId: string): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out } = session
    const job = await client.jobs.details(jobId, args.queue === undefined ? {} : { queueName: args.queue })
    const name = showId(jobId)
    if (job.status === 'not_found')
      throw new CommandError(`no job ${name}: it never was, or its result is gone`, EXIT.no)
    if (job.success !== null) throw new CommandError(`job ${name} has ended already (${job.status})`, EXIT.no)
    try {
      const { queueName } = job
      const aborted = await audited(session, { action: 'abort', kind: 'job', names: [jobId] }, () =>
        client.job(jobId, { queueName: queueName ?? '' }).abort({ timeoutMs: args.timeout }),
      )
      out.data({ matching: 1, done: aborted ? 1 : 0, refused: [], dryRun: false, jobId, aborted }, () =>
        out.line(aborted ? `${name} is aborted` : `${name} ended before it could be aborted`),
      )
      return aborted ? EXIT.ok : EXIT.no
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error
      throw new CommandError(
        `the abort of ${name} is asked for, but no worker has heard of it yet; is one running that allows aborts?`,
        EXIT.no,
      )
    }
  })
}
