import { showId } from '@arq-ts/protocol/jobs'
import { decodeValue } from '@arq-ts/protocol'
import { JobAbortedError, RemoteError, TimeoutError } from '@arq-ts/core/client'
import type { CodecName, EnqueueOptions, JobDetails, JobHold, JobState } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { audited } from '../audit.ts'
import { CommandError, EXIT } from '../exit.ts'
import { callText, instantText, preview, spanText } from '../output.ts'
import type { Fields } from '../output.ts'
import { styles } from '../style.ts'
import { withSession } from '../session.ts'
import type { Session } from '../session.ts'
import { noteUnserved } from '../unserved.ts'

/** `job show` */
export function show(args: GlobalArgs & { id: string; queue?: string | undefined }): Promise<number> {
  return withSession(args, async (session) => {
    const job = await findJob(session, args)
    session.out.data(job, () => session.out.fields(jobFields(job, session.nowMs)))
    return EXIT.ok
  })
}

/** `job explain` */
export function explain(args: GlobalArgs & { id: string; queue?: string | undefined }): Promise<number> {
  return withSession(args, async ({ client, out }) => {
    const where = args.queue === undefined ? {} : { queueName: args.queue }
    const { job, reasons } = await client.jobs.explain(args.id, where)
    const { jobId, status, queueName, functionName } = job
    out.data({ jobId, status, queueName, functionName, reasons }, () => {
      out.line(`${out.colors.bold(showId(jobId))}  ${status}${functionName === null ? '' : `  ${functionName}`}`)
      for (const { check, ok, detail } of reasons) {
        const mark = ok === null ? out.colors.yellow('?') : ok ? out.colors.green('✓') : out.colors.red('✗')
        out.line(`${mark} ${check.padEnd(8)}  ${detail}`)
      }
    })
    return reasons.every(({ ok }) => ok !== false) ? EXIT.ok : EXIT.no
  })
}

/** `job enqueue` */
export function enqueue(
  args: GlobalArgs & {
    function: string
    args?: readonly string[] | undefined
    queue?: string | undefined
    defer?: number | undefined
    at?: Date | undefined
    expires?: number | undefined
    jobId?: string | undefined
    codec?: CodecName | undefined
    wait?: boolean | undefined
    timeout?: number | undefined
  },
): Promise<number> {
  if (args.function === '') throw new CommandError('expected the name of a function, got an empty string')
  const { positional, keywords } = readArguments(args.args ?? [])
  const options: EnqueueOptions = { kwargs: keywords }
  if (args.queue !== undefined) options.queueName = args.queue
  if (args.jobId !== undefined) options.jobId = args.jobId
  if (args.defer !== undefined) options.deferByMs = args.defer
  if (args.at !== undefined) options.deferUntil = args.at
  if (args.expires !== undefined) options.expiresMs = args.expires
  const open = args.codec === undefined ? {} : { codec: args.codec }
  return withSession(
    args,
    async (session) => {
      const { client, out } = session
      const queue = args.queue ?? client.queueName
      const text = `enqueue "${args.function}" into "${showId(queue)}"`
      const job = await audited(session, { action: 'enqueue', kind: 'queue', names: [queue], text }, () =>
        client.enqueue(args.function, positional, options),
      )
      if (!job) {
        const message = `job ${showId(args.jobId ?? '')} is queued, running, or has a kept result: nothing was enqueued`
        throw new CommandError(message, EXIT.no)
      }
      const { jobId, queueName } = job
      await noteUnserved(session, queueName)
      if (args.wait) {
        out.note(`queued ${showId(jobId)} in ${queueName}, waiting for its end`)
        return waitFor(session, jobId, queueName, args.timeout)
      }
      out.data({ jobId, queueName, functionName: args.function }, () => {
        out.line(showId(jobId))
        out.note(`queued in ${queueName}: ${args.function}(${callText(positional, keywords)})`)
      })
      return EXIT.ok
    },
    open,
  )
}

/** `key=value` is a keyword; all else is positional. Values are JSON where they read as such, else strings. */
export function readArguments(texts: readonly string[]): { positional: unknown[]; keywords: Record<string, unknown> } {
  const positional: unknown[] = []
  const keywords: Record<string, unknown> = {}
  for (const text of texts) {
    const [, name, value = ''] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? []
    if (name === undefined) positional.push(readValue(text))
    else if (Object.hasOwn(keywords, name)) throw new CommandError(`the keyword '${name}' is given twice`)
    else keywords[name] = readValue(value)
  }
  return { positional, keywords }
}

/** JSON keeps every digit of an integer; what is no JSON is a string. */
function readValue(text: string): unknown {
  try {
    JSON.parse(text)
  } catch {
    return text
  }
  return (decodeValue(Buffer.from(`{"value":${text}}`)).value as { value: unknown }).value
}

/** `job watch` */
export function watch(
  args: GlobalArgs & { id: string; queue?: string | undefined; timeout?: number | undefined },
): Promise<number> {
  return withSession(args, async (session) => {
    const job = await findJob(session, args)
    if (!session.out.json) session.out.note(`${showId(args.id)} ${job.functionName ?? ''} ${job.status}`)
    if (isEnded(job.status)) return showEnd(session, job)
    return waitFor(session, args.id, job.queueName ?? '', args.timeout)
  })
}

function isEnded(status: JobState): boolean {
  return status === 'complete' || status === 'failed' || status === 'aborted' || status === 'dead'
}

/** Exit 0 when the job ended well, 1 when not. States are reported as they are seen. */
async function waitFor(session: Session, jobId: string, queueName: string, timeoutMs?: number): Promise<number> {
  const { client, out } = session
  const job = client.job(jobId, { queueName })
  let status: JobState | undefined
  const look = async () => {
    const now = (await client.jobs.details(jobId, { queueName }).catch(() => undefined))?.status
    const isNews = now !== undefined && now !== status && status !== undefined
    if (isNews && !isEnded(now) && !out.json) out.note(`${showId(jobId)} ${now}`)
    status = now ?? status
  }
  await look()
  const looking = setInterval(() => void look(), 250)
  try {
    await job.result(timeoutMs === undefined ? {} : { timeoutMs })
  } catch (error) {
    if (error instanceof TimeoutError) throw new CommandError(error.message, EXIT.no)
    if (!(error instanceof RemoteError || error instanceof JobAbortedError) && !(await job.resultInfo())) throw error
  } finally {
    clearInterval(looking)
  }
  const details = await client.jobs.details(jobId, { queueName })
  if (!out.json) out.note(`${showId(jobId)} ${details.status}`)
  return showEnd(session, details)
}

function showEnd({ out }: Session, job: JobDetails): number {
  out.data(job, () => {
    if (job.success) out.line(preview(job.result, 2_000))
    else out.note(job.error ?? job.status)
  })
  return job.success ? EXIT.ok : EXIT.no
}

/** @throws CommandError where nothing is known of the job. */
async function findJob({ client }: Session, args: { id: string; queue?: string | undefined }): Promise<JobDetails> {
  const job = await client.jobs.details(args.id, args.queue === undefined ? {} : { queueName: args.queue })
  if (job.status !== 'not_found' || job.problems.length > 0) return job
  throw new CommandError(`no job ${showId(args.id)}: it never was, or its result is no longer kept`, EXIT.no)
}

/** Everything about a job, for a person. */
export function jobFields(job: JobDetails, nowMs: number): Fields {
  const isBad = job.status === 'dead' || job.status === 'failed' || job.status === 'aborted'
  const ran = job.startTime && job.finishTime ? job.finishTime.getTime() - job.startTime.getTime() : null
  const isWaiting = job.score !== null && job.status !== 'running' && !isEnded(job.status)
  return [
    ['job', styles.bold(showId(job.jobId))],
    ['status', isBad ? styles.red(job.status) : job.status],
    ...job.problems.map((problem) => ['problem', styles.red(problem)] as const),
    ['function', job.functionName],
    ['arguments', job.functionName === null ? null : callText(job.args, job.kwargs, 500)],
    ['codec', job.codec],
    ['queue', job.queueName === null ? null : showId(job.queueName)],
    [
      'tries',
      String(job.jobTry) + (job.deaths > 0 ? `, ${job.deaths} of which ended with the death of their worker` : ''),
    ],
    ['enqueued', instantText(job.enqueueTime, nowMs)],
    ['due', isWaiting && !job.hold ? instantText(job.score, nowMs) : null],
    ['waits for', job.hold ? waitText(job.hold, nowMs) : null],
    ['started', instantText(job.startTime, nowMs)],
    ['finished', instantText(job.finishTime, nowMs)],
    ['ran', ran === null || Number.isNaN(ran) ? null : spanText(ran)],
    ['schedule', job.schedule === null ? null : showId(job.schedule)],
    ['flow', job.flow && `${showId(job.flow.flowId)}, as its member ${showId(job.flow.member)}`],
    ['unique key', job.unique && showId(job.unique.key) + (job.unique.isOwner ? '' : ', which it no longer has')],
    ['limits', limitsText(job)],
    ['runs in', job.task?.sandbox ? `a ${job.task.sandbox} of its own` : null],
    ['chunk', job.task?.chunk ? `up to ${job.task.chunk.size} jobs, after ${spanText(job.task.chunk.waitMs)}` : null],
    ['metadata', job.metadata && preview(job.metadata, 500)],
    ['held by', holderText(job, nowMs)],
    ['abort', job.abortAsked === null ? null : `asked for ${instantText(job.abortAsked, nowMs)}`],
    [
      'expires',
      isWaiting && !job.hold && job.payloadExpiresInMs !== null ? `in ${spanText(job.payloadExpiresInMs)}` : null,
    ],
    ['result', job.success ? preview(job.result, 2_000) : null],
    [isWaiting ? 'last error' : 'error', job.error === null ? null : styles.red(job.error)],
  ]
}

function waitText({ about, by, since, waitsFor }: JobHold, nowMs: number): string {
  const others = waitsFor.length > 3 ? ` and ${waitsFor.length - 3} more` : ''
  const members = waitsFor.length > 0 ? `: ${waitsFor.slice(0, 3).join(', ')}${others}` : ''
  const what = by === 'unique' ? 'the job before it with the unique key' : `the ${by}`
  return `${what} ${about}${members}, since ${spanText(nowMs - since.getTime())}`
}

/** The limits in which a running job has a place, or those that its function declares. */
function limitsText({ limits, task }: JobDetails): string | null {
  if (limits.length > 0) return `has a place in ${limits.map(showId).join(', ')}`
  return task && task.limits.length > 0 ? `needs a place in ${task.limits.map(showId).join(', ')}` : null
}

function holderText({ holder }: JobDetails, nowMs: number): string | null {
  if (!holder) return null
  const who = holder.workerId ?? (holder.language === 'python' ? 'a Python worker' : 'a worker that nobody knows')
  const gone = holder.alive === false ? ', which is gone' : ''
  const since = holder.sinceMs === null ? '' : `, for ${spanText(nowMs - holder.sinceMs)}`
  const until =
    holder.expiresInMs === null
      ? '; the hold never lapses'
      : `; lapses in ${spanText(holder.expiresInMs)} unless renewed`
  return who + gone + since + until
}
