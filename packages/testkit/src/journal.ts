import type { AnyTask, CronJob, JobContext, JobInfo } from '@arq-ts/core'
import type { TestJob } from './assert/test-job.ts'

/** Jobs that the worker of a test queue has begun, and how jobs look to a test. */
export class Journal {
  readonly #tasks: ReadonlyMap<string, AnyTask>
  readonly #begun = new Map<string, TestJob>()

  constructor(tasks: readonly AnyTask[]) {
    this.#tasks = new Map(tasks.map((task) => [task.name, task]))
  }

  /** Jobs that have begun, in that order. */
  get begun(): TestJob[] {
    return [...this.#begun.values()]
  }

  forget(): void {
    this.#begun.clear()
  }

  /** The same task, each run of which is noted. */
  watch(task: AnyTask): AnyTask {
    return {
      ...task,
      handler: (ctx: JobContext, ...args: readonly unknown[]) => {
        this.#note(ctx, task.name, task.params === undefined ? args : args[0])
        return task.handler(ctx, ...args)
      },
    }
  }

  /** The same cron jobs, each run of which is noted. Jobs that share a handler share it still, as one function's must. */
  watchAll(jobs: readonly CronJob[]): CronJob[] {
    const watched = new Map<CronJob['handler'], CronJob['handler']>()
    return jobs.map((job) => {
      let handler = watched.get(job.handler)
      if (!handler) {
        handler = (ctx) => {
          this.#note(ctx, job.name, [])
          return job.handler(ctx)
        }
        watched.set(job.handler, handler)
      }
      return { ...job, handler }
    })
  }

  /** A job that waits in a queue. */
  async waiting(job: JobInfo, queueName: string): Promise<TestJob> {
    const { functionName, jobId, score } = job
    return {
      jobId,
      functionName,
      queueName,
      input: await this.#inputOf(job),
      state: 'waiting',
      dueMs: Math.floor(score ?? 0),
    }
  }

  #note({ jobId, queueName, score }: JobContext, functionName: string, input: unknown): void {
    if (this.#begun.has(jobId)) return
    this.#begun.set(jobId, { jobId, functionName, queueName, input, state: 'begun', dueMs: Math.floor(score) })
  }

  async #inputOf({ args, functionName, kwargs }: JobInfo): Promise<unknown> {
    const task = this.#tasks.get(functionName)
    const asSent = Object.keys(kwargs).length === 0 ? args : { args, kwargs }
    if (task?.params === undefined) return asSent
    try {
      return (await task.bind(args, kwargs))[0]
    } catch {
      return asSent
    }
  }
}
