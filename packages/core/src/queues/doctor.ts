import { liveWorkers, pythonWorkers, registeredWorkers } from '../fleet/live-workers.ts'
import { parseHealthLine } from '@arq-ts/protocol/jobs'
import { readPayload, workerIdOf } from '../jobs/condition.ts'
import { deadLetters } from '../jobs/dead-letters.ts'
import type { ExaminedJob } from '../redis/jobs.ts'
import { checkMethodOptions, checkName, checkNames, checkObject, methodSchemas } from '../options/arguments.ts'
import type { RedisContext } from '../redis/context.ts'
import { kindOfKey } from '../redis/key-kinds.ts'
import { diagnose, diagnoseServer } from './diagnose.ts'
import type { Finding, ObservedQueue } from './diagnose.ts'
import { QueueExamination } from './examination.ts'
import type { Queues, QueueStats } from './queues.ts'

export { KEY_KINDS } from '../redis/key-kinds.ts'

/** A key that holds another type of value than arq and arq-ts keep there. */
export interface DamagedKey {
  key: string
  /** The key without what is particular to it: `arq:retry`, `arq:dead`, `queue` … */
  kind: string
}

const DEAD_LETTER_TTL_MS = 7 * 86_400_000
const DEFAULT_SCAN_KEYS = 2_000_000

/** Everything that one examination found, and everything that it did not look at. */
export interface Examination {
  findings: Finding[]
  /** Names of the queues that were looked at. */
  queueNames: string[]
  /** The number of jobs that were looked at. */
  jobs: number
  /** Parts that were not examined, a sentence each; empty when everything was. */
  incomplete: string[]
}

/** Options of an examination. */
export interface ExamineOptions {
  /** Default: all that `client.queues.names()` finds. */
  queues?: readonly string[]
  /** Queues to examine in addition to those that are found. */
  known?: readonly string[]
  /** Jobs of each queue that are looked at; default: all. */
  limit?: number
  /** Keys of the database that are looked at for queues and damage; default: 2,000,000. */
  scanKeys?: number
  /** Called with the number of keys looked at so far, before the jobs. */
  onKeys?: (keys: number) => void
  /** Called with the number of jobs looked at so far. */
  onProgress?: (jobs: number) => void
}

/** Finds what is wrong with a fleet, and repairs what can be repaired. Use `client.doctor`. */
export class Doctor {
  readonly #link: RedisContext
  readonly #queues: Queues

  /** @internal */
  constructor(link: RedisContext, queues: Queues) {
    this.#link = link
    this.#queues = queues
  }

  /**
   * Keys of a wrong type that reads of this client have met since the last call of this method, at most a thousand. What
   * such a key would say is missing in their answers.
   */
  takeDamagedKeys(): DamagedKey[] {
    const { metDamage } = this.#link
    const keys = [...metDamage].map((key) => ({ key, kind: kindOfKey(key) }))
    metDamage.clear()
    return keys
  }

  /**
   * Looks at the server, at workers, dead letters, damaged keys, and at the jobs of each queue. A job that looks wrong is
   * read again, at one moment, before it is reported.
   *
   * @throws RedisUnavailableError, RedisReplyError
   */
  async examine(options: ExamineOptions = {}): Promise<Examination> {
    checkMethodOptions('doctor.examine', methodSchemas.examine, options)
    const link = this.#link
    const scanKeys = options.scanKeys ?? DEFAULT_SCAN_KEYS
    const incomplete: string[] = []
    await link.syncClock()
    const seen = await link.survey.all({ maxKeys: scanKeys }, options.onKeys)
    const { complete } = seen
    const found = await this.#queues.namesBy(seen, options.known)
    const queueNames = [...(options.queues ?? found)]
    if (!complete) incomplete.push(`queues: only ${scanKeys.toLocaleString('en-US')} keys of the database were scanned`)
    let jobs = 0
    const queues: ObservedQueue[] = []
    const stats = await this.#queues.statsOf(queueNames)
    const lines = await link.registry.readHealth(queueNames)
    for (const [i, name] of queueNames.entries()) {
      const before = jobs
      const onProgress = (count: number) => options.onProgress?.(before + count)
      const line = lines[i]?.line
      const hasBadLine = line !== undefined && parseHealthLine(line) === undefined
      const limit = options.limit ?? Infinity
      const observed = await this.#examineQueue(name, stats[i]!, { hasBadLine, limit, onProgress })
      queues.push(observed.queue)
      jobs += observed.queue.first.jobs
      if (observed.why !== null) incomplete.push(`the queue "${name}": ${observed.why}`)
    }
    const all = [...new Set([...found, ...queueNames])]
    const damaged = await link.damaged.find(all, seen.damaged)
    if (!complete) incomplete.push('damaged keys: the database has more keys than were scanned')
    const { workers, unreadable } = await registeredWorkers(link)
    const emptyDeadLetters: string[] = []
    for await (const letter of deadLetters(link)) {
      if (letter.problems.length > 0 && !damaged.some(({ key }) => key === link.keys.deadLetter(letter.jobId))) {
        emptyDeadLetters.push(letter.jobId)
      }
    }
    // Loaded here: it parses cron expressions, which few producers use.
    const { brokenSchedules } = await import('../schedules/broken-schedules.ts')
    const staleHolds = await this.#staleHolds(all, seen.endlessHolds)
    const staleAborts = complete ? await this.#staleAborts(all) : []
    if (!complete) incomplete.push('abort requests: a queue that was not found may have their jobs')
    const { listCron } = await import('../cron/listed-cron.ts')
    const pauses = await link.cronPauses.all()
    const python = await pythonWorkers(link, all, workers)
    const findings = diagnose({
      server: await link.server.settings(),
      queues,
      workers,
      unreadableWorkers: unreadable,
      python: python.filter(({ queueName }) => queueNames.includes(queueName)),
      pausedCron: listCron(workers, python, pauses),
      staleAborts,
      damaged,
      emptyDeadLetters,
      brokenSchedules: await brokenSchedules(link),
      staleHolds,
      nowMs: link.clock.now(),
    })
    return { findings, queueNames, jobs, incomplete }
  }

  /** Looks at the settings of the server alone: one round trip, whatever the database holds. */
  async examineServer(): Promise<Finding[]> {
    await this.#link.syncClock()
    return diagnoseServer(await this.#link.server.settings())
  }

  async #examineQueue(
    queueName: string,
    stats: QueueStats,
    { hasBadLine, limit, onProgress }: { hasBadLine: boolean; limit: number; onProgress: (jobs: number) => void },
  ): Promise<{ queue: ObservedQueue; why: string | null }> {
    const link = this.#link
    const first = new QueueExamination(link.limits)
    const again = new QueueExamination(link.limits)
    const queue = { stats, first, again, hasBadLine }
    if (!stats.readable) return { queue, why: stats.problems.join('; ') }
    let isAll = true
    for await (const page of limit > 0 ? link.queues.members(queueName) : []) {
      if (first.jobs + page.length > limit) isAll = false
      for (const job of await link.jobs.examine(page.slice(0, limit - first.jobs))) first.add(job)
      onProgress(first.jobs)
      if (!isAll) break
    }
    // Workers after the jobs: whoever held one then was registered before.
    const workers = first.held.size > 0 ? await liveWorkers(link) : []
    const suspects = first.suspects(workers, link.clock.now())
    for (const job of await link.jobs.examineAgain(queueName, suspects)) again.add(job)
    const why =
      isAll && limit > 0 ? null : `only ${first.jobs.toLocaleString('en-US')} of its jobs were looked at (limit)`
    return { queue, why }
  }

  /**
   * Jobs whose in-progress keys never lapse: those that arq-ts workers left behind in a queue are found there, by the
   * worker's id; the others are in no queue, or held by a word that is no worker's.
   */
  async #staleHolds(queueNames: readonly string[], jobIds: readonly string[]): Promise<string[]> {
    const queued = await this.#link.jobs.queuesOf(jobIds, queueNames)
    // Asked for again: a hold may have been given back since the walk.
    const holds = await this.#link.holds.endlessAmong(jobIds)
    return holds.filter(({ jobId, holder }) => !queued.has(jobId) || workerIdOf(holder) === null).map(idOf)
  }

  /** Requests that are stale twice: meanwhile a job may have been enqueued, or have ended with its request. */
  async #staleAborts(queueNames: readonly string[]): Promise<string[]> {
    const first = await this.#link.jobs.staleAborts(queueNames)
    if (first.length === 0) return []
    const second = new Set(await this.#link.jobs.staleAborts(queueNames))
    return first.filter((id) => second.has(id))
  }

  /**
   * Repairs one finding; returns the number of things repaired. Nothing that changed since it was found is touched.
   *
   * @throws RedisUnavailableError; RedisReplyError where the server's settings may not be changed, say.
   */
  async repair(finding: Pick<Finding, 'check' | 'queueName' | 'jobIds'> & Partial<Finding>): Promise<number> {
    checkObject('doctor.repair', finding ?? null)
    checkName('doctor.repair', 'check', finding.check)
    checkNames('doctor.repair', 'jobIds', finding.jobIds)
    const { jobs: records, deadLetters: letters, server, registry, damaged } = this.#link
    const { jobIds } = finding
    const queueName = finding.queueName ?? ''
    switch (finding.check) {
      case 'eviction-policy':
        await server.setEvictionPolicy('noeviction')
        return 1
      case 'stale-abort':
        return records.dropAborts(jobIds)
      case 'stale-hold':
        return this.#link.holds.drop(jobIds)
      case 'bad-health-line': {
        const [health] = await registry.readHealth([queueName])
        if (!health || parseHealthLine(health.line)) return 0
        await registry.removeHealth([`${queueName}:health-check`])
        return 1
      }
      case 'wrong-type':
        return damaged.putAside(finding.damaged ?? [])
      case 'unreadable-worker':
        for (const workerId of jobIds) await registry.unregister(workerId)
        return jobIds.length
      case 'empty-dead-letter':
        return letters.purge(jobIds)
      case 'broken-schedule': {
        const { repairSchedules } = await import('../schedules/broken-schedules.ts')
        return repairSchedules(this.#link, jobIds)
      }
      case 'bad-counter':
        return records.dropCounters(jobIds)
      case 'never-due':
      case 'always-due': {
        await this.#link.syncClock()
        const outcomes = await records.move(queueName, queueName, jobIds, this.#link.clock.now())
        return outcomes.filter((outcome) => outcome === 'moved').length
      }
      case 'missing-payload': {
        const still = await this.#still(queueName, jobIds, (job) => job.payload === null && !job.isHeld)
        const outcomes = await records.remove(queueName, still.map(idOf), { running: false, kept: false })
        return outcomes.filter((outcome) => outcome === 'removed').length
      }
      case 'lost-in-progress':
        return this.#free(queueName, jobIds)
      case 'unreadable-payload': {
        let moved = 0
        for (const job of await this.#still(queueName, jobIds, (each) => !each.isHeld)) {
          const read = readPayload(job.payload, this.#link.limits)
          if (read.kind !== 'unreadable') continue
          await letters.add(queueName, job.jobId, job.payload!, read.reason, DEAD_LETTER_TTL_MS)
          moved++
        }
        return moved
      }
      default:
        return 0
    }
  }

  async #free(queueName: string, jobIds: readonly string[]): Promise<number> {
    await this.#link.syncClock()
    const nowMs = this.#link.clock.now()
    const held = await this.#still(queueName, jobIds, (job) => job.holder !== null)
    const seen = new QueueExamination(this.#link.limits)
    for (const job of held) seen.add(job)
    const lost = new Set(seen.lost(await liveWorkers(this.#link), nowMs).jobIds)
    const jobs = held.filter((job) => lost.has(job.jobId)).map(({ jobId, holder }) => ({ jobId, holder: holder! }))
    return this.#link.jobs.free(queueName, jobs)
  }

  async #still(
    queueName: string,
    jobIds: readonly string[],
    is: (job: ExaminedJob) => boolean,
  ): Promise<ExaminedJob[]> {
    return (await this.#link.jobs.examineAgain(queueName, jobIds)).filter(is)
  }
}

function idOf({ jobId }: Pick<ExaminedJob, 'jobId'>): string {
  return jobId
}
