import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { LogLevel, Logger } from '@arq-ts/core'
import { queueNamesOf } from '@arq-ts/core/config'
import { createLogger } from '@arq-ts/core/logger'
import type { LoadedConfig } from '@arq-ts/core/config'
import type { GlobalArgs } from '../args.ts'
import { CommandError, EXIT } from '../exit.ts'
import { settingsOf } from '../settings.ts'
import type { WorkerPlan } from '../worker/plan.ts'
import { taskFolders } from '../worker/task-location.ts'
import { servedBy } from '../worker/served.ts'
import { Supervisor } from '../worker/supervisor.ts'
import { METRICS_HOST } from '../metrics/server.ts'

/** Changes within this time are one. */
const WATCH_SETTLE_MS = 200
const CHECK_GRACE_MS = 500

/** Flags of `arq-ts worker`. */
export interface WorkerArgs extends GlobalArgs {
  settings?: readonly string[] | undefined
  workers?: number | undefined
  maxJobs?: number | undefined
  recorder?: boolean | undefined
  queue?: readonly string[] | undefined
  queueOrder?: 'strict' | 'weighted' | undefined
  use?: readonly string[] | undefined
  burst?: boolean | undefined
  maxBurstJobs?: number | undefined
  check?: boolean | undefined
  watch?: readonly string[] | undefined
  name?: string | undefined
  metricsPort?: number | undefined
  metricsHost?: string | undefined
  logFormat?: 'pretty' | 'json' | undefined
  verbose?: number | undefined
  quiet?: boolean | undefined
}

/** `worker` */
export async function worker(args: WorkerArgs): Promise<number> {
  const loaded = settingsOf(args, flagsOf(args))
  if (args.check) return check(args, loaded)
  const plan = planOf(args, loaded)
  const log = createLogger({
    level: plan.logLevel,
    name: 'pool',
    ...(plan.logFormat === undefined ? {} : { pretty: plan.logFormat === 'pretty' }),
  })
  const missing = args.watch?.find((folder) => !existsSync(folder))
  if (missing !== undefined) throw new CommandError(`--watch: there is no ${missing}`)
  const pool = new Supervisor(plan, loaded.config.worker_pool_size, log)
  const closing: (() => unknown)[] = []
  if (args.metricsPort !== undefined)
    closing.push(await serve(pool, { port: args.metricsPort, host: hostOf(args), plan }, log))
  if (args.watch?.length) closing.push(await watch(args.watch, pool, log))
  closing.push(listenToSignals(pool, log))
  try {
    return await pool.run()
  } finally {
    for (const close of closing) await close()
  }
}

/** Checks that workers of these settings are healthy; a settings module says itself what it serves, and where. */
async function check(args: WorkerArgs, loaded: LoadedConfig): Promise<number> {
  const { health } = await import('./health.ts')
  const asked = { ...args, queue: undefined, deep: false, maxAge: 0 }
  if (!args.settings?.length) return health({ ...asked, queue: queueNamesOf(loaded.config) })
  const { optionsByPlan } = await import('../worker/run-worker.ts')
  const plan = planOf(args, loaded)
  const logger = createLogger({ level: 'silent' })
  try {
    return await health(asked, servedBy(await optionsByPlan({ ...plan, packages: [] }, logger)))
  } finally {
    // Handles that the module has opened do not delay the exit.
    setTimeout(() => process.exit(), CHECK_GRACE_MS).unref()
  }
}

function flagsOf(args: WorkerArgs): Record<string, unknown> {
  const queues = args.queue?.map(readQueue)
  const isOne = queues?.length === 1 && queues[0]!.weight === undefined
  return {
    worker_pool_size: args.workers,
    max_jobs: args.maxJobs,
    recorder: args.recorder,
    queue_name: isOne ? queues[0]!.name : undefined,
    queues: queues && !isOne ? queues : undefined,
    // Weights are given to be used.
    queue_order: args.queueOrder ?? (queues?.some((queue) => queue.weight !== undefined) ? 'weighted' : undefined),
  }
}

/** `high_priority`, or `high_priority=3` with a weight. */
function readQueue(text: string): { name: string; weight?: number } {
  const [, name = text, weight] = /^(.+)=([\d.]+)$/.exec(text) ?? []
  return weight === undefined ? { name } : { name, weight: Number(weight) }
}

function planOf(args: WorkerArgs, { config, file, settings }: LoadedConfig): WorkerPlan {
  const keysFrom = (...kinds: string[]) =>
    settings.filter(({ origin }) => kinds.includes(origin.kind)).map(({ key }) => key)
  const modules = (args.settings ?? []).map((file) => resolve(file))
  const named = config.tasks.map((entry) =>
    typeof entry === 'string' ? { use: entry, with: {} } : { use: entry.use, with: entry.with ?? {} },
  )
  const packages = [...named, ...(args.use ?? []).map((use) => ({ use, with: {} }))]
  if (modules.length === 0 && packages.length === 0) {
    throw new CommandError(
      'a worker needs tasks: give it a settings module (arq-ts worker ./tasks.ts), a task package (--use @arq-ts/qdrant), or name packages under `tasks` in the configuration',
    )
  }
  return {
    modules,
    packages,
    folders: taskFolders(file),
    config,
    given: keysFrom('file', 'environment'),
    givenByFlag: keysFrom('flag'),
    burst: args.burst === true,
    maxBurstJobs: args.maxBurstJobs,
    logLevel: levelOf(args),
    logFormat: args.logFormat ?? (process.stderr.isTTY ? 'pretty' : undefined),
    name: args.name,
    index: 0,
    metrics: args.metricsPort !== undefined,
  }
}

function levelOf(args: WorkerArgs): LogLevel {
  if (args.quiet) return 'warn'
  return (args.verbose ?? 0) > 1 ? 'trace' : args.verbose === 1 ? 'debug' : 'info'
}

/** SIGTERM and SIGINT drain, again: at once; SIGHUP reloads. */
function listenToSignals(pool: Supervisor, log: Logger): () => void {
  const stop = (signal: NodeJS.Signals) => {
    const again = pool.state.stopping
      ? ' again: not waiting for running jobs'
      : ': draining, a second one stops at once'
    log.info(`${signal}${again}`)
    pool.stop()
  }
  const reload = () => void pool.reload()
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('SIGHUP', reload)
  return () => {
    process.off('SIGTERM', stop)
    process.off('SIGINT', stop)
    process.off('SIGHUP', reload)
  }
}

async function watch(folders: readonly string[], pool: Supervisor, log: Logger): Promise<() => Promise<void>> {
  const { watch: watchFiles } = await import('chokidar')
  let timer: NodeJS.Timeout | undefined
  const watcher = watchFiles([...folders], {
    ignoreInitial: true,
    ignored: (path) => /(^|[\\/])(node_modules|\.git)([\\/]|$)/.test(path),
  })
  watcher.on('all', (event, path) => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      log.info(`${path}: ${event}`)
      void pool.reload()
    }, WATCH_SETTLE_MS)
  })
  await new Promise<void>((resolve) => watcher.once('ready', () => resolve()))
  log.info(`watching ${folders.join(', ')}`)
  return async () => {
    clearTimeout(timer)
    await watcher.close()
  }
}

/** The image sets the variable: in a container the loopback reaches nobody. */
function hostOf(args: WorkerArgs): string {
  return args.metricsHost ?? process.env.ARQ_TS_METRICS_HOST ?? METRICS_HOST
}

async function serve(
  pool: Supervisor,
  { port, host, plan }: { port: number; host: string; plan: WorkerPlan },
  log: Logger,
): Promise<() => Promise<void>> {
  const { PoolMetrics } = await import('../metrics/pool-metrics.ts')
  const { serveMetrics } = await import('../metrics/server.ts')
  const { PackageMetrics } = await import('../metrics/package-metrics.ts')
  const metrics = new PoolMetrics(pool, log, await PackageMetrics.of(plan, log))
  const server = await serveMetrics(metrics, port, host).catch(async (error: NodeJS.ErrnoException) => {
    await metrics.close()
    throw new CommandError(
      `cannot serve metrics on ${host}:${port}: ${error.code === 'EADDRINUSE' ? 'it is in use' : error.message}`,
      EXIT.cannot,
    )
  })
  const address = server.address()
  log.info(
    `metrics on http://${host}:${typeof address === 'object' && address ? address.port : port}/metrics, probes on /healthz and /readyz`,
  )
  return async () => {
    server.closeAllConnections()
    server.close()
    await metrics.close()
  }
}
