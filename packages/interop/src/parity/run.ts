/** Runs a scenario on one side. */

import { takeDatabase } from '@arq-ts/test-support'
import type { Child } from '@arq-ts/test-support'
import type { Redis } from 'ioredis'
import { pythonScript } from '../python.ts'
import type { SeenKeys } from './differences.ts'
import { normalKey, normalLine, normalName } from './observation.ts'
import type { SeenKey } from './observation.ts'
import type { Scenario, Stage } from './scenarios.ts'
import { recordOf, startWorker } from './workers.ts'
import type { Side } from './workers.ts'

/** Observations of one run. */
export interface Observation {
  exit: number | string
  /** Its log lines, by job. */
  lines: Map<string, string[]>
  /** Content of Redis at the end, and when the scenario looked. */
  keys: SeenKeys
}

/** Looks at databases by Python, one process for all. */
export class Onlooker {
  readonly #child: Child
  #asked = 0

  constructor(interpreter: string) {
    this.#child = pythonScript(interpreter, 'onlooker', {})
  }

  async look(url: string): Promise<SeenKeys> {
    const id = ++this.#asked
    this.#child.write(JSON.stringify({ id, url }))
    const line = await this.#child.line(new RegExp(`^\\{"id": ${id},`), { timeoutMs: 60_000 })
    const { keys } = JSON.parse(line) as { keys: Record<string, SeenKey> }
    const now = Date.now()
    return new Map(Object.entries(keys).map(([name, key]) => [normalName(name), normalKey(name, key, now)]))
  }

  async close(): Promise<void> {
    await this.#child.stop()
  }
}

const OPTIONS = { poll_delay: 0.05, job_timeout: 300 }

export async function observe(side: Side, scenario: Scenario, from: Redis, onlooker: Onlooker): Promise<Observation> {
  const database = await takeDatabase()
  const { redis, url } = database
  const keys = new Map<string, ReadonlyMap<string, string>>()
  const look = async (when?: string) => {
    const seen = await onlooker.look(url)
    for (const [where, what] of seen) keys.set(when === undefined ? where : `${when}: ${where}`, what)
  }
  const request = {
    url,
    codec: scenario.codec ?? 'default',
    options: { ...OPTIONS, burst: scenario.drive === undefined, ...scenario.options },
    cron: scenario.cron ?? {},
    failingHooks: scenario.failingHooks ?? [],
  } as const
  const workers: Child[] = []
  const start = () => {
    const worker = startWorker(side, request)
    workers.push(worker)
    return worker
  }
  try {
    await copy(from, redis)
    const worker = start()
    const stage: Stage = { redis, worker, look, another: () => Promise.resolve(start()) }
    await scenario.drive?.(stage)
    if (!request.options.burst) worker.kill('SIGTERM')
    const exit = await worker.exited
    await look()
    return { exit, lines: byJob(said(worker.lines, exit)), keys }
  } finally {
    for (const worker of workers) worker.kill('SIGKILL')
    await Promise.all(workers.map((worker) => worker.exited))
    await database.release()
  }
}

/** The same jobs, byte by byte. */
async function copy(from: Redis, to: Redis): Promise<void> {
  for (const key of await from.keys('*')) {
    const [bytes, ttlMs] = await Promise.all([from.dumpBuffer(key), from.pttl(key)])
    await to.restore(key, Math.max(ttlMs, 0), bytes as Buffer)
  }
}

/** The log; of a worker that did not end well also its last word, which is the line of a traceback that names the error. */
function said(lines: readonly string[], exit: number | string): string[] {
  const records = lines.map(recordOf)
  const lastWord = lines.findLast((line, i) => records[i] === undefined && /^\S/.test(line))
  const logged = records.filter((record) => record !== undefined).map(normalLine)
  // Counts that change are recorded once or twice, as the clock has it: the last record has them all.
  const lastHealth = logged.findLastIndex(isHealth)
  const shown = logged.filter((line, i) => !isHealth(line) || i === lastHealth)
  return lastWord === undefined || exit === 0 ? shown : [...shown, `(not logged) ${lastWord}`]
}

function isHealth(line: string): boolean {
  return line.includes('recording health')
}

/** Jobs run concurrently: only the order of the lines of each counts. Lines of no job are under ''. */
function byJob(lines: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const line of lines) {
    const job = /\b(job-\d+|cron:\w+)\b/.exec(line)?.[1] ?? ''
    groups.set(job, [...(groups.get(job) ?? []), line])
  }
  return groups
}
