import type { AnyChunk } from '../../chunks/chunk.ts'
import type { CronJob } from '../../cron/cron.ts'
import type { RetryPolicy } from '@arq-ts/protocol/jobs'
import type { AnyLimit } from '../../limits/limit.ts'
import type { Sandbox } from '../../sandbox/sandbox.ts'
import type { JobContext } from '../../tasks/context.ts'
import type { AnyTask } from '../../tasks/task.ts'
import type { Schema } from '../../tasks/schema.ts'

/** A function of a worker: a task, or a cron job. */
export interface RegisteredTask {
  name: string
  isCron: boolean
  /** The handler's arguments after `ctx`. @throws ArgumentsError */
  bind(
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
  ): readonly unknown[] | Promise<readonly unknown[]>
  /** The result as its codec writes it, where the task says what it returns. @throws ResultError */
  packResult: AnyTask['packResult']
  /** A piece of the result as JSON writes it, where the task says what it emits. @throws ResultError */
  packEmitted: AnyTask['packEmitted']
  handler(ctx: JobContext, ...args: readonly unknown[]): unknown
  timeoutMs: number | undefined
  keepResultMs: number | undefined
  keepResultForever: boolean | undefined
  maxTries: number | undefined
  retry: RetryPolicy | undefined
  params: Schema | undefined
  record: { logs?: boolean } | undefined
  limits: readonly AnyLimit[] | undefined
  sandbox: Sandbox | undefined
  chunk: AnyChunk | undefined
}

/** `handler` stands in for the task's own, where its jobs run in another way. */
export function registerTask(task: AnyTask, handler: RegisteredTask['handler'] = task.handler): RegisteredTask {
  return {
    name: task.name,
    isCron: false,
    bind: (args, kwargs) => task.bind(args, kwargs),
    packResult: task.packResult,
    packEmitted: task.packEmitted,
    handler,
    timeoutMs: task.timeoutMs,
    keepResultMs: task.keepResultMs,
    keepResultForever: task.keepResultForever,
    maxTries: task.maxTries,
    retry: task.retry,
    params: task.params,
    record: task.record,
    limits: task.limits,
    sandbox: task.sandbox,
    chunk: task.chunk,
  }
}

/** arq runs a cron job as a function of its name, without arguments. */
export function registerCron(cron: CronJob): RegisteredTask {
  return {
    name: cron.name,
    isCron: true,
    bind: (args) => args,
    packResult: undefined,
    packEmitted: undefined,
    handler: cron.handler as RegisteredTask['handler'],
    timeoutMs: cron.timeoutMs,
    keepResultMs: cron.keepResultMs,
    keepResultForever: cron.keepResultForever,
    maxTries: cron.maxTries,
    retry: undefined,
    params: undefined,
    record: undefined,
    limits: undefined,
    sandbox: undefined,
    chunk: undefined,
  }
}
