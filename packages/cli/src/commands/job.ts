import { JobAbortedError, RemoteError, TimeoutError } from '@arq-ts/core'
import { decodeValue } from '@arq-ts/protocol'
import type { CodecName, EnqueueOptions, JobDetails, JobStatus, ListedJob } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { CommandError, EXIT } from '../exit.ts'
import { callText, instantText, preview, whenText } from '../output.ts'
import type { Column, Output } from '../output.ts'
import { withSession } from '../session.ts'
import type { Session } from '../session.ts'

const columns = (nowMs: number): readonly Column<ListedJob>[] => [
  ['job', (job) => job.jobId],
  ['function', (job) => job.info?.functionName ?? '–'],
  ['status', (job) => job.status],
  ['due', (job) => whenText(job.due, nowMs)],
  [
    'arguments',
    (job) => (job.info ? callText(job.info.args, job.info.kwargs, 50) : 'payload gone, or no codec reads it'),
  ],
]

/** `job ls` */
export function list(
  args: GlobalArgs & {
    queue?: string | undefined
    status?: JobStatus | undefined
    function?: string | undefined
    limit: number
  },
): Promise<number> {
  return withSession(args, async ({ client, out, nowMs, queueNames }) => {
    const queueName = args.queue ?? queueNames[0]!
    const jobs: ListedJob[] = []
    let more = false
    for await (const job of client.inspector.jobs(queueName)) {
      if (args.status !== undefined && job.status !== args.status) continue
      if (args.function !== undefined && job.info?.functionName !== args.function) continue
      more = jobs.length === args.limit
      if (more) break
      jobs.push(job)
    }
    out.rows(jobs, columns(nowMs), `no such jobs in ${queueName}`)
    if (more) out.note(`the first ${args.limit}; --limit shows more`)
    return EXIT.ok
  })
}

/** `job show` */
export function show(args: GlobalArgs & { id: string; queue?: string | undefined }): Promise<number> {
  return withSession(args, async (session) => {
    const job = await find(session, args)
    session.out.data(job, () => showJob(job, session.out, session.nowMs))
    return EXIT.ok
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
  if (args.function === '') throw new CommandError('expected the name of a function, got an empty text')
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
      const job = await client.enqueue(args.function, positional, options)
      if (!job)
        throw new CommandError(
          `job ${args.jobId} is queued, running, or has a kept result: nothing was enqueued`,
          EXIT.no,
        )
      await noteUnserved(session, job.queueName)
      if (args.wait) {
        out.note(`queued ${job.jobId} in ${job.queueName}, waiting for its end`)
        return waitFor(session, job.jobId, job.queueName, args.timeout)
      }
      const { jobId, queueName } = job
      out.data({ jobId, queueName, functionName: args.function }, () => {
        out.line(jobId)
        out.note(`queued in ${queueName}: ${args.function}(${callText(positional, keywords)})`)
      })
      return EXIT.ok
    },
    open,
  )
}

/** A queue that nobody serves keeps its jobs, and who waits for their end waits for long. */
async function noteUnserved({ client, out }: Session, queueName: string): Promise<void> {
  const [workers, { python }] = await Promise.all([client.inspector.workers(), client.queues.stats(queueName)])
  const served = new Set(workers.flatMap((worker) => worker.queues))
  if (served.has(queueName) || python) return
  const others = served.size > 0 ? `; served are ${[...served].sort().join(', ')}` : ''
  out.note(`no live worker tells that it serves ${queueName}${others}`)
}

/** `key=value` is a keyword; all else is positional. Values are JSON where they read as such, else texts. */
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

/** JSON keeps every digit of an integer; what is no JSON is a text. */
function readValue(text: string): unknown {
  try {
    JSON.parse(text)
  } catch {
    return text
  }
  return (decodeValue(Buffer.from(`{"value":${text}}`)).value as { value: unknown }).value
}

/** `job abort` */
export function abort(args: GlobalArgs & { id: string; queue?: string | undefined; timeout: number }): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out } = session
    const job = await find(session, args)
    if (job.status === 'complete') throw new CommandError(`job ${args.id} has ended already`, EXIT.no)
    try {
      const aborted = await client.job(args.id, { queueName: job.queueName ?? '' }).abort({ timeoutMs: args.timeout })
      out.data({ jobId: args.id, aborted }, () =>
        out.line(aborted ? `${args.id} is aborted` : `${args.id} ended before it could be aborted`),
      )
      return aborted ? EXIT.ok : EXIT.no
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error
      throw new CommandError(
        `the abort of ${args.id} is asked for, but no worker has heard of it yet; is one running that allows aborts?`,
        EXIT.no,
      )
    }
  })
}

/** `job retry` */
export function retry(args: GlobalArgs & { id: string; delay?: number | undefined }): Promise<number> {
  return withSession(args, async ({ client, out }) => {
    const queued = await client.inspector.retryJob(args.id, args.delay === undefined ? {} : { delayMs: args.delay })
    out.data({ jobId: args.id, queued }, () =>
      out.line(queued ? `${args.id} is queued again` : `${args.id} is queued or running already`),
    )
    return queued ? EXIT.ok : EXIT.no
  })
}

/** `job rm` */
export function remove(
  args: GlobalArgs & { ids: readonly string[]; queue?: string | undefined; force?: boolean | undefined },
): Promise<number> {
  return withSession(args, async ({ client, out }) => {
    const outcomes: { jobId: string; outcome: string }[] = []
    for (const jobId of args.ids) {
      const where = args.queue === undefined ? {} : { queueName: args.queue }
      outcomes.push({
        jobId,
        outcome: await client.inspector.removeJob(jobId, { ...where, force: args.force === true }),
      })
    }
    out.data(outcomes, () => {
      for (const { jobId, outcome } of outcomes) {
        if (outcome === 'removed') out.line(`${jobId} is removed`)
        else out.note(outcome === 'absent' ? `${jobId}: no such job` : `${jobId} runs: abort it, or --force`)
      }
    })
    return outcomes.every(({ outcome }) => outcome === 'removed') ? EXIT.ok : EXIT.no
  })
}

/** `job watch` */
export function watch(
  args: GlobalArgs & { id: string; queue?: string | undefined; timeout?: number | undefined },
): Promise<number> {
  return withSession(args, async (session) => {
    const job = await find(session, args)
    if (!session.out.json) session.out.note(`${args.id} ${job.functionName ?? ''} ${job.status}`)
    return waitFor(session, args.id, job.queueName ?? '', args.timeout)
  })
}

/** Exit 0 when the job ended well, 1 when not. Stages are told as they are seen. */
async function waitFor(session: Session, jobId: string, queueName: string, timeoutMs?: number): Promise<number> {
  const { client, out } = session
  const job = client.job(jobId, { queueName })
  let status: JobStatus | undefined
  const look = async () => {
    const now = await job.status().catch(() => undefined)
    if (now !== undefined && now !== status && status !== undefined && !out.json) out.note(`${jobId} ${now}`)
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
  const details = await client.inspector.job(jobId, { queueName })
  out.data(details, () => {
    if (details.success) out.line(preview(details.result, 2_000))
    else out.note(details.error ?? 'failed')
  })
  return details.success ? EXIT.ok : EXIT.no
}

async function find({ client }: Session, args: { id: string; queue?: string | undefined }): Promise<JobDetails> {
  const job = await client.inspector.job(args.id, args.queue === undefined ? {} : { queueName: args.queue })
  if (job.status !== 'not_found' || job.dead) return job
  throw new CommandError(`no job ${args.id}: it never was, or its result is no longer kept`, EXIT.no)
}

function showJob(job: JobDetails, out: Output, nowMs: number): void {
  const { colors } = out
  const ran = job.startTime && job.finishTime ? job.finishTime.getTime() - job.startTime.getTime() : null
  out.fields([
    ['job', colors.bold(job.jobId)],
    ['status', job.dead ? colors.red('dead') : job.success === false ? colors.red('failed') : job.status],
    ['function', job.functionName],
    ['arguments', callText(job.args, job.kwargs, 500)],
    ['queue', job.queueName],
    ['try', String(job.jobTry)],
    ['enqueued', instantText(job.enqueueTime, nowMs)],
    ['due', instantText(job.dueTime, nowMs)],
    ['started', instantText(job.startTime, nowMs)],
    ['finished', instantText(job.finishTime, nowMs)],
    ['ran', ran === null ? null : `${(ran / 1000).toFixed(2)} s`],
    ['worker', job.workerId],
    ['result', job.success ? preview(job.result, 2_000) : null],
    ['error', job.error === null ? null : colors.red(job.error)],
  ])
}
