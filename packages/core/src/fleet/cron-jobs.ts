import type { ListedCron } from '../cron/listed-cron.ts'
import { checkMethodOptions, checkName, methodSchemas } from '../options/arguments.ts'
import { noteEvent } from '../recorder/note-event.ts'
import type { History } from '../recorder/history.ts'
import type { RedisContext } from '../redis/context.ts'
import { liveWorkers, pythonWorkers } from './live-workers.ts'

/** Options of `client.cron.pause` and `client.cron.resume`. */
export interface CronActOptions {
  /** Name of the actor, for the audit log. Default `client`. Null where the caller writes an audit entry of its own. */
  actor?: string | null
}

/**
 * Cron jobs of the fleet: `client.cron`. A pause holds for every arq-ts worker once the call has returned; of ticks that
 * were queued before, at most the one of the next seconds runs. Python workers ignore pauses. Every method rejects with
 * OptionsError for wrong arguments, RedisUnavailableError when Redis does not answer within the client's
 * `commandTimeoutMs`, and RedisReplyError when it refuses.
 */
export class CronJobs {
  readonly #link: RedisContext
  readonly #history: History

  /** @internal */
  constructor(link: RedisContext, history: History) {
    this.#link = link
    this.#history = history
  }

  /** Cron jobs of live arq-ts workers, each once for each schedule, and those that are paused, by name. */
  async list(): Promise<ListedCron[]> {
    const link = this.#link
    const workers = await liveWorkers(link)
    // A cron job goes to the first queue of its worker.
    const queues = new Set(workers.filter(({ cron }) => cron.length > 0).flatMap((worker) => worker.queues.slice(0, 1)))
    const [{ listCron }, python, pauses] = await Promise.all([
      import('../cron/listed-cron.ts'),
      pythonWorkers(link, [...queues], workers),
      link.cronPauses.all(),
    ])
    return listCron(workers, python, pauses)
  }

  /**
   * Stops the ticks of a cron job on all its schedules until `resume`; no worker needs to have the cron job yet. Returns
   * false if it was paused already. The audit entry is written first.
   */
  async pause(name: string, options: CronActOptions = {}): Promise<boolean> {
    return this.#act('pause', name, options)
  }

  /** Lets a paused cron job tick again; skipped ticks are not made up for. Returns false if it was not paused. */
  async resume(name: string, options: CronActOptions = {}): Promise<boolean> {
    return this.#act('resume', name, options)
  }

  async #act(act: 'pause' | 'resume', name: string, options: CronActOptions): Promise<boolean> {
    checkName(`cron.${act}`, 'name', name)
    const { actor = 'client' } = checkMethodOptions(`cron.${act}`, methodSchemas.actor, options)
    const { clock, cronPauses } = this.#link
    await this.#link.syncClock()
    if (actor !== null) {
      const detail = { count: 1, text: `${act} the cron job "${name}"` }
      await this.#history.writeAudit({ actor, action: act, resource: `cron job ${name}`, detail })
    }
    const isChanged = await cronPauses[act](name, clock.now())
    const kind = act === 'pause' ? 'cron-paused' : 'cron-resumed'
    if (isChanged) await noteEvent(this.#link, { kind, functionName: name })
    return isChanged
  }
}
