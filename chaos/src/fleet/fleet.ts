import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Slot } from '../plan/slots.ts'
import type { Assignment } from '../processes/assignment.ts'
import type { LedgerClient } from '../processes/ledger-client.ts'
import { Proxy } from '../servers/proxy.ts'
import type { Servers } from '../servers/topology.ts'
import { Member } from './member.ts'

/** Time a process may take to stop after SIGTERM, in ms. */
const STOP_MS = 20_000
/** A process that died is replaced after this, in ms. */
const RESTART_MS = 300

export interface FleetOptions {
  slots: readonly Slot[]
  servers: Servers
  ledger: LedgerClient
  /** The interpreter that has arq; undefined where Python is left out. */
  python: string | undefined
  dir: string
  common: Omit<Assignment, 'slot' | 'worker' | 'redis'>
}

/** A process that ended without a reason, or did not end when it was asked to. */
export interface OddExit {
  worker: string
  detail: string
}

/** Memory of one slot over time. */
export interface MemorySample {
  atMs: number
  slot: string
  rssBytes: number
}

/** Keeps a process in each slot: whoever dies is replaced, until its slot is retired. */
export class Fleet {
  readonly oddExits: OddExit[] = []
  /** Ends of Python's processes by themselves: arq's workers end when Redis is away. */
  pythonExits = 0
  readonly memory: MemorySample[] = []
  readonly #options: FleetOptions
  readonly #members = new Map<string, Member>()
  readonly #incarnations = new Map<string, number>()
  readonly #proxies = new Map<string, Map<number, Proxy>>()
  readonly #retired = new Set<string>()
  readonly #lives: Promise<void>[] = []
  #sampler: NodeJS.Timeout | undefined

  constructor(options: FleetOptions) {
    this.#options = options
  }

  /** Starts every slot, and waits until all are ready. */
  async start(): Promise<void> {
    const { slots, servers } = this.#options
    for (const { name, kind } of slots) {
      const proxies = new Map<number, Proxy>()
      if (kind.startsWith('ts-')) for (const port of servers.ports) proxies.set(port, await Proxy.open(port))
      this.#proxies.set(name, proxies)
    }
    const ready = slots.map((slot) => new Promise<void>((done) => this.#lives.push(this.#live(slot, done))))
    await Promise.all(ready)
    const startedMs = performance.now()
    this.#sampler = setInterval(() => this.#sample(performance.now() - startedMs), 2_000)
  }

  /** Proxies of one slot, or of all. */
  proxies(slot: string | null): Proxy[] {
    const chosen = slot === null ? [...this.#proxies.values()] : [this.#proxies.get(slot) ?? new Map<number, Proxy>()]
    return chosen.flatMap((proxies) => [...proxies.values()])
  }

  member(slot: string): Member | undefined {
    return this.#members.get(slot)
  }

  /** Ends slots in order; they are not filled again. */
  async retire(kinds: readonly Slot['kind'][]): Promise<void> {
    const names = this.#options.slots.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name)
    await Promise.all(
      names.map(async (name) => {
        this.#retired.add(name)
        const member = this.#members.get(name)
        if (member) await this.terminate(member, 'retired')
      }),
    )
  }

  /** SIGTERM, and the wait for the end; one that does not end is noted and killed. */
  async terminate(member: Member, cause: string): Promise<void> {
    member.cause ||= cause
    member.signal('SIGCONT')
    member.signal('SIGTERM')
    const stopped = new AbortController()
    const late = sleep(STOP_MS, 'late', { signal: stopped.signal }).catch(() => 'stopped')
    if ((await Promise.race([member.ended, late])) === 'late') {
      this.oddExits.push({ worker: member.worker, detail: `did not stop within ${STOP_MS / 1000} s of SIGTERM` })
      member.signal('SIGKILL')
    }
    stopped.abort()
    await member.ended
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    clearInterval(this.#sampler)
    for (const { name } of this.#options.slots) this.#retired.add(name)
    for (const member of this.#members.values()) {
      member.cause ||= 'retired'
      member.signal('SIGKILL')
    }
    await Promise.all(this.#lives)
    for (const proxy of this.proxies(null)) proxy.close()
  }

  async #live(slot: Slot, ready: () => void): Promise<void> {
    while (!this.#retired.has(slot.name)) {
      const member = this.#spawn(slot)
      this.#members.set(slot.name, member)
      void member.ready.then(ready)
      const status = await member.ended
      await this.#options.ledger.write({ event: 'exit', worker: member.worker, status, cause: member.cause })
      this.#judgeExit(slot, member, status)
      await sleep(RESTART_MS)
    }
  }

  #judgeExit(slot: Slot, member: Member, status: string): void {
    const asked = member.cause === 'kill' ? status === 'SIGKILL' : member.cause !== '' && status === '0'
    // A process that is stopped while Node still loads dies of the signal itself.
    if (asked || (member.cause !== '' && status.startsWith('SIG'))) return
    if (slot.kind.startsWith('py-')) this.pythonExits++
    else this.oddExits.push({ worker: member.worker, detail: `exit ${status}\n${member.lastWords()}` })
  }

  #spawn(slot: Slot): Member {
    const { common, dir, python, servers } = this.#options
    const number = (this.#incarnations.get(slot.name) ?? 0) + 1
    this.#incarnations.set(slot.name, number)
    const worker = `${slot.name}#${number}`
    const proxies = this.#proxies.get(slot.name)!
    const ports = new Map([...proxies].map(([port, proxy]) => [port, proxy.port]))
    const assignment: Assignment = { ...common, slot, worker, redis: servers.target(ports) }
    const logFile = join(dir, `${slot.name}.log`)
    const role = slot.kind.endsWith('worker') ? 'worker' : 'producer'
    if (slot.kind.startsWith('py-')) {
      const script = join(HOME, 'python', `${role}.py`)
      return new Member(worker, python!, [script, JSON.stringify(assignment)], process.env, logFile)
    }
    const processes = join(HOME, 'dist', 'processes')
    const shift = ['--import', join(processes, 'shift-clock.js')]
    const env = { ...process.env, NODE_ENV: 'production', CHAOS_CLOCK_SHIFT_MS: String(slot.clockShiftMs) }
    const args = [...shift, join(processes, `${role}.js`), JSON.stringify(assignment)]
    return new Member(worker, process.execPath, args, env, logFile)
  }

  #sample(atMs: number): void {
    for (const [slot, member] of this.#members) {
      const { rssBytes } = member
      if (rssBytes !== undefined && !Number.isNaN(rssBytes)) this.memory.push({ atMs, slot, rssBytes })
    }
  }
}

/** The folder of this package. */
const HOME = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
