import { AssertionError } from 'node:assert'
import { checkOptions } from '@arq-ts/core'
import type { AnyContract, InputOf } from '@arq-ts/core'
import { z } from 'zod'
import { aTime, functionNameOf } from '../check.ts'
import { differences, text } from './match.ts'
import type { TestJob } from './test-job.ts'

/** A pattern of a value: any part of an object, at every depth; matchers of the test runner are taken as they are. */
export type Pattern<T> = unknown extends T
  ? unknown
  : T extends readonly unknown[]
    ? { readonly [K in keyof T]: Pattern<T[K]> }
    : T extends Date | Uint8Array | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
      ? T
      : T extends object
        ? { readonly [K in keyof T]?: Pattern<T[K]> }
        : T

/** Properties of a job of `expectEnqueued` in addition to its input. */
export interface ExpectedJob {
  /** Number of jobs that fit. Default: at least one; 0 expects none. */
  count?: number
  /** Time from now until it is due, in ms of the queue's time. A job that has begun is due no more. */
  dueInMs?: number
  /** Due time. */
  dueAt?: Date | number
  /** The queue it is in. */
  queueName?: string
  /** Its id. */
  jobId?: string
}

const schema = z.strictObject({
  count: z.number().int().min(0).optional(),
  dueInMs: z.number().optional(),
  dueAt: aTime().optional(),
  queueName: z.string().min(1).optional(),
  jobId: z.string().min(1).optional(),
})

/** Jobs that a message shows. */
const MAX_SHOWN = 10

/** Says what was expected, and of each job of the function why it does not fit. @throws AssertionError, OptionsError */
export function expectIn<T extends AnyContract | string>(
  jobs: readonly TestJob[],
  task: T,
  pattern: (T extends AnyContract ? Pattern<InputOf<T>> : unknown) | undefined,
  expected: ExpectedJob,
  nowMs: number,
): TestJob[] {
  checkOptions('expectEnqueued', schema, expected)
  const name = functionNameOf('expectEnqueued', task)
  const same = jobs.filter((job) => job.functionName === name)
  const unlike = new Map(same.map((job) => [job, whyNot(job, pattern, expected, nowMs)]))
  const fitting = same.filter((job) => unlike.get(job)!.length === 0)
  const { count } = expected
  if (count === undefined ? fitting.length > 0 : fitting.length === count) return fitting
  const wanted = `${count === undefined ? 'a job' : count === 1 ? 'one job' : `${count} jobs`} of '${name}'`
  const like = [pattern === undefined ? '' : `with ${text(pattern)}`, expectation(expected)].filter(Boolean).join(', ')
  const lines = [
    `expected ${wanted}${like === '' ? '' : ` ${like}`}, found ${fitting.length}`,
    ...(same.length === 0 ? [others(jobs, name)] : same.slice(0, MAX_SHOWN).map((job) => shown(job, unlike.get(job)!))),
    ...(same.length > MAX_SHOWN ? [`  … and ${same.length - MAX_SHOWN} more of '${name}'`] : []),
  ]
  throw new AssertionError({
    message: lines.join('\n'),
    actual: same.map((job) => job.input),
    expected: pattern,
    operator: 'expectEnqueued',
    stackStartFn: expectIn,
  })
}

function whyNot(job: TestJob, pattern: unknown, expected: ExpectedJob, nowMs: number): string[] {
  const { dueAt, dueInMs, jobId, queueName } = expected
  const reasons = pattern === undefined ? [] : differences(job.input, pattern)
  if (dueInMs !== undefined || dueAt !== undefined) {
    const atMs = dueAt === undefined ? nowMs + dueInMs! : Number(dueAt)
    if (job.state === 'begun') reasons.push('a worker has begun it')
    else if (job.dueMs !== atMs)
      reasons.push(`it is due in ${job.dueMs - nowMs} ms, expected in ${atMs - nowMs} ms from now`)
  }
  if (queueName !== undefined && job.queueName !== queueName)
    reasons.push(`it is in queue '${job.queueName}', expected '${queueName}'`)
  if (jobId !== undefined && job.jobId !== jobId) reasons.push(`its id is '${job.jobId}', expected '${jobId}'`)
  return reasons
}

function expectation({ dueAt, dueInMs, jobId, queueName }: ExpectedJob): string {
  return [
    dueInMs === undefined ? '' : `due in ${dueInMs} ms`,
    dueAt === undefined ? '' : `due at ${new Date(Number(dueAt)).toISOString()}`,
    queueName === undefined ? '' : `in queue '${queueName}'`,
    jobId === undefined ? '' : `with id '${jobId}'`,
  ]
    .filter(Boolean)
    .join(', ')
}

function shown(job: TestJob, reasons: readonly string[]): string {
  const about = `  ${job.functionName} ${text(job.input)}`
  return reasons.length === 0 ? `${about}: fits` : [about, ...reasons.map((reason) => `    ${reason}`)].join('\n')
}

function others(jobs: readonly TestJob[], name: string): string {
  if (jobs.length === 0) return '  nothing was enqueued'
  const names = [...new Set(jobs.map((job) => job.functionName))].sort().map((other) => `'${other}'`)
  return `  no job of '${name}' was enqueued, only of ${names.slice(0, MAX_SHOWN).join(', ')}`
}
