import { CLEAN, decide } from '../../src/plan.ts'
import type { Aftermath, KeyEvent, Newer, Outcome } from '../../src/plan.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

interface Job {
  status: 'queued' | 'running' | 'done'
  /** The value in its arguments. */
  brings: string
}

interface Run {
  /** Null for a flush: nobody runs it again. */
  job: string | null
  token: string
  value: string
  version: number
  /** A batch has taken the key along: the job of this id is removed when it has persisted it. */
  isBatch?: boolean
  asked?: string | null
  /** Its signal has fired, its job continues without it, and its persister takes no notice. */
  isHung: boolean
}

/** Producers, jobs, flushes and workers over the plan: the parts of Redis and arq that it needs are a few lines of model. */
export class World {
  state = CLEAN
  nowUs = 1_000_000_000
  written: { value: string; version: number }[] = []
  /** Jobs by id, as arq has them: an id that was used is taken for ever. */
  jobs = new Map<string, Job>()
  runs: Run[] = []
  letters: { id: string; brings: string }[] = []
  /** Persisters that were left alone and may still write. */
  zombies: { value: string; version: number }[] = []
  store = { value: '', version: 0 }
  tokens = 0

  apply(event: KeyEvent): Outcome {
    this.nowUs += 1
    const { state, outcome } = decide(this.state, event, this.nowUs)
    this.state = state
    return outcome
  }

  /** `dies`: the producer ends between the write and the enqueue. */
  write({ delayMs, dies }: { delayMs: number; dies: boolean }): void {
    const value = `v${this.written.length + 1}`
    const bytes = new TextEncoder().encode(value)
    const outcome = this.apply({ kind: 'write', value: bytes, persister: 'm:f', delayMs, queueName: 'q' })
    if (outcome.kind !== 'written') throw new Error(outcome.kind)
    this.written.push({ value, version: outcome.version })
    if (!dies) this.enqueue(String(outcome.epoch), value)
  }

  delete(): void {
    this.apply({ kind: 'delete' })
  }

  enqueue(id: string, brings: string): void {
    const job = this.jobs.get(id)
    if (!job) this.jobs.set(id, { status: 'queued', brings })
    else if (job.status === 'done') this.jobs.set(`${id}.${this.jobs.size}`, { status: 'queued', brings })
  }

  bring({ epoch, pending }: Newer): void {
    this.enqueue(String(epoch), text(pending.value))
  }

  start(): void {
    const id = [...this.jobs].find(([, { status }]) => status === 'queued')?.[0]
    if (id === undefined) return
    this.jobs.get(id)!.status = 'running'
    this.#begin(id)
  }

  flush(): void {
    this.#begin(null)
  }

  /** A batch takes keys that are due, alive and free. */
  batch(): void {
    const { askedIn, dead, dueMs, epoch, lock, pending } = this.state
    if (!pending || dead || dueMs > this.nowUs / 1_000 || (lock && lock.untilUs > this.nowUs)) return
    const token = `t${++this.tokens}`
    const asked = askedIn === null ? null : String(epoch)
    const outcome = this.apply({ kind: 'begin', token, jobId: null, lockMs: 1_000 })
    this.#take({ job: null, token, isHung: false, isBatch: true, asked }, outcome)
  }

  #begin(job: string | null): void {
    const token = `t${++this.tokens}`
    this.#take({ job, token, isHung: false }, this.apply({ kind: 'begin', token, jobId: job, lockMs: 1_000 }))
  }

  #take(run: Omit<Run, 'value' | 'version'>, outcome: Outcome): void {
    if (outcome.kind === 'newer') this.bring(outcome)
    if (outcome.kind === 'persist' || outcome.kind === 'again') {
      const { value, version } = outcome.pending
      this.runs.push({ ...run, value: text(value), version })
    } else if (outcome.kind === 'busy' || outcome.kind === 'lost') this.#giveWay(run)
    else this.#end(run)
  }

  #end({ isHung, job }: Pick<Run, 'job' | 'isHung'>): void {
    if (job !== null && !isHung) this.jobs.get(job)!.status = 'done'
  }

  /** A job that is held runs again by itself. One without a job may die with its process: a job waits for its end. */
  #giveWay(run: Pick<Run, 'job' | 'isHung'>): void {
    const { lock } = this.state
    if (lock && lock.jobId === null && lock.untilUs > this.nowUs) this.#requeue(run)
    else this.#end(run)
  }

  #requeue({ isHung, job }: Pick<Run, 'job' | 'isHung'>): void {
    if (job !== null && !isHung) this.jobs.get(job)!.status = 'queued'
  }

  /** The store refuses older versions, as a guarded one does. */
  #save({ value, version }: { value: string; version: number }): void {
    if (version > this.store.version) this.store = { value, version }
  }

  #pick(index: number): Run | undefined {
    return this.runs.splice(index % Math.max(1, this.runs.length), 1)[0]
  }

  finish(index: number): void {
    const run = this.#pick(index)
    if (!run) return
    this.#save(run)
    // A hung one that ends within the grace takes what came meanwhile to others: its signal has fired.
    const mayGoOn = !run.isHung && !run.isBatch
    this.#take(run, this.apply({ kind: 'persisted', token: run.token, version: run.version, mayGoOn }))
    this.#removeDone(run)
  }

  #removeDone({ asked, isBatch }: Run): void {
    if (isBatch && asked && this.jobs.get(asked)?.status !== 'running') this.jobs.delete(asked)
  }

  fail({ index, isLast }: { index: number; isLast: boolean }): void {
    const run = this.#pick(index)
    if (!run) return
    const outcome = this.#failed(run, isLast)
    if (outcome.kind === 'newer') this.bring(outcome)
    if (outcome.kind === 'dead') this.#makeDead(run)
    if (outcome.kind === 'released') this.#requeue(run)
    else if (outcome.kind === 'lost') this.#giveWay(run)
    else this.#end(run)
  }

  #failed(run: Run, isLast: boolean): Outcome {
    const { token, version } = run
    return this.apply({ kind: 'failed', token, version, error: 'Error: away', ...this.#aftermath(run, isLast) })
  }

  #aftermath({ isHung, job }: Run, isLast: boolean): Aftermath {
    if (job === null || isHung) return { then: 'leave' }
    if (!isLast) return { then: 'retry', inMs: 1_000 }
    const { brings } = this.jobs.get(job)!
    const isNewest = this.state.pending !== null && brings === text(this.state.pending.value)
    const epoch = /^\d+$/.test(job) ? Number(job) : null
    return { then: 'die', carriesValue: isNewest, epoch, inMs: 1_000 }
  }

  #makeDead({ job }: Run): void {
    this.letters.push({ id: job!, brings: this.jobs.get(job!)!.brings })
  }

  replay(index: number): void {
    const [letter] = this.letters.splice(index % Math.max(1, this.letters.length), 1)
    if (letter) this.jobs.set(letter.id, { status: 'queued', brings: letter.brings })
  }

  /** The signal fires, the persister does not heed it, and the worker continues: its job runs again. */
  hang(index: number): void {
    const run = this.runs[index % Math.max(1, this.runs.length)]
    if (!run) return
    this.#requeue(run)
    run.isHung = true
  }

  /** The grace of a hung one is over. Its persister may resume. */
  giveUp(index: number): void {
    const run = this.runs.filter(({ isHung }) => isHung)[index]
    if (!run) return
    this.runs.splice(this.runs.indexOf(run), 1)
    this.zombies.push(run)
    const outcome = this.#failed(run, false)
    if (outcome.kind === 'newer') this.bring(outcome)
  }

  thaw(): void {
    const zombie = this.zombies.shift()
    if (zombie) this.#save(zombie)
  }

  /** A worker dies, before or after the store has the value; the lease of its job gives it to another. */
  crash({ index, isDurable }: { index: number; isDurable: boolean }): void {
    this.#kill(this.runs.filter(({ job }) => job !== null)[index], isDurable)
  }

  /** The process of a flush dies: nobody comes again for it. */
  flushDies({ index, isDurable }: { index: number; isDurable: boolean }): void {
    this.#kill(this.runs.filter(({ isBatch, job }) => job === null && !isBatch)[index], isDurable)
  }

  /** The worker of a batch dies, before or after the INSERT. */
  batchDies({ isDurable }: { isDurable: boolean }): void {
    this.#kill(
      this.runs.find(({ isBatch }) => isBatch),
      isDurable,
    )
  }

  #kill(run: Run | undefined, isDurable: boolean): void {
    if (!run) return
    this.runs.splice(this.runs.indexOf(run), 1)
    if (isDurable) this.#save(run)
    this.#requeue(run)
  }

  sweep(): void {
    const { dead, dueMs, epoch, pending } = this.state
    if (!pending || dead || dueMs + 60_000 > this.nowUs / 1_000) return
    this.enqueue(String(epoch), text(pending.value))
  }

  isActive(): boolean {
    return this.runs.length > 0 || [...this.jobs.values()].some(({ status }) => status === 'queued')
  }

  /** True where an operator finds the value that failed for good: in a dead letter, or in one that was replayed. */
  isShown(): boolean {
    const { dead, pending } = this.state
    if (!dead || !pending) return true
    const value = text(pending.value)
    const alive = [...this.jobs.values()].filter(({ status }) => status !== 'done')
    return [...this.letters, ...alive].some(({ brings }) => brings === value)
  }

  /** Runs all there is, with a store that takes everything. */
  run(): void {
    for (let i = 0; this.isActive(); i++) {
      if (i > 1_000) throw new Error('it does not end')
      this.nowUs += 2_000_000
      this.start()
      this.giveUp(0)
      this.finish(0)
    }
  }

  /** Runs all there is, then what the sweep finds, or an operator replays. */
  settle(): void {
    this.run()
    if (this.state.pending) {
      this.nowUs += 1_000 * 86_400_000
      this.sweep()
      if (this.state.dead) while (this.letters.length > 0) this.replay(0)
      this.run()
    }
  }
}
