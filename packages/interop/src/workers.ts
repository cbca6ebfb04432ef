import { fileURLToPath } from 'node:url'
import * as core from '@arq-ts/core'
import type { CodecName, WorkerOptions } from '@arq-ts/core'
import { Child } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { cronOf, tasksOf } from '../fixtures/tasks.mjs'
import { pythonScript } from './python.ts'

/** A running worker of either language. */
export interface RunningWorker {
  /** Graceful end. */
  stop(): Promise<void>
}

export interface WorkerSettings {
  url: string
  /** `default`: none is named, so that each language has its own. */
  codec: CodecName | 'default'
  /** Name under which it records a run. */
  name: string
  cron?: boolean
  maxJobs?: number
  queue?: string
}

/** Short polls and aborts allowed, as options of each language. */
function pythonOptions(settings: WorkerSettings): object {
  return {
    poll_delay: 0.05,
    allow_abort_jobs: true,
    max_jobs: settings.maxJobs ?? 10,
    health_check_interval: 2,
    job_timeout: 30,
  }
}

function ourOptions(settings: WorkerSettings): WorkerOptions {
  const { codec, maxJobs = 10, queue = 'arq:queue' } = settings
  return {
    ...(codec === 'default' ? {} : { codec }),
    maxJobs,
    queueName: queue,
    pollDelayMs: 50,
    healthCheckIntervalMs: 2_000,
    abortGraceMs: 200,
    jobTimeoutMs: 30_000,
  }
}

/** A process of Python arq; resolves when it is up. */
export async function pythonWorker(
  interpreter: string,
  settings: WorkerSettings,
  overrides: object = {},
): Promise<RunningWorker & { child: Child }> {
  const options = { ...pythonOptions(settings), ...overrides }
  const child = pythonScript(interpreter, 'worker', { ...settings, options })
  await child.line(/^ready/)
  return {
    child,
    stop: async () => {
      await child.stop()
    },
  }
}

/** A worker of ours within the test. */
export async function typescriptWorker(
  settings: WorkerSettings,
  overrides: WorkerOptions = {},
): Promise<RunningWorker> {
  const redis = new Redis(settings.url)
  const worker = new core.Worker({
    redis: settings.url,
    tasks: tasksOf(core, { name: settings.name, redis }),
    cron: settings.cron ? cronOf(core, { redis }) : [],
    handleSignals: false,
    logger: core.createLogger({ level: 'silent' }),
    ...ourOptions(settings),
    ...overrides,
  })
  const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
  const ended = worker.run()
  await Promise.race([started, ended])
  return {
    stop: async () => {
      await worker.stop()
      redis.disconnect()
    },
  }
}

/** A worker of ours as a process, so that it can be killed. */
export async function typescriptWorkerProcess(
  settings: WorkerSettings,
  overrides: WorkerOptions = {},
): Promise<RunningWorker & { child: Child }> {
  const script = fileURLToPath(new URL('../fixtures/ts-worker.mjs', import.meta.url))
  const options = { ...ourOptions(settings), ...overrides }
  const child = new Child(process.execPath, [script, JSON.stringify({ ...settings, options })])
  await child.line(/^ready/)
  return {
    child,
    stop: async () => {
      await child.stop()
    },
  }
}
