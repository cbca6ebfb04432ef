import { setTimeout as sleep } from 'node:timers/promises'
import { describeFault } from '../plan/faults.ts'
import type { Fault } from '../plan/faults.ts'
import type { LedgerClient } from '../processes/ledger-client.ts'
import type { Servers } from '../servers/topology.ts'
import type { Fleet } from './fleet.ts'

/** Memory that Redis is left with when it is to be out of it, in bytes. */
const OOM_ROOM = 64 * 1024

export interface InjectorOptions {
  fleet: Fleet
  servers: Servers
  ledger: LedgerClient
  say: (line: string) => void
}

/** Lets the faults of a schedule happen, each at its time; when one begins and is over stands in the ledger. */
export class Injector {
  readonly #options: InjectorOptions

  constructor(options: InjectorOptions) {
    this.#options = options
  }

  /** Resolves when the last fault is over. */
  async run(faults: readonly Fault[], signal: AbortSignal): Promise<void> {
    const startMs = performance.now()
    const all: Promise<void>[] = []
    for (const fault of faults) {
      const waitMs = startMs + fault.atMs - performance.now()
      if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) break
      all.push(this.#happen(fault, performance.now() - startMs))
    }
    await Promise.all(all)
  }

  async #happen(fault: Fault, atMs: number): Promise<void> {
    const { ledger, say } = this.#options
    const id = String(fault.id)
    say(`${(atMs / 1000).toFixed(1).padStart(7)} s  ${describeFault(fault)}`)
    await ledger.write({ event: 'fault', fault: id, kind: fault.kind, target: fault.target ?? '' })
    try {
      await this.#suffer(fault)
    } catch (error) {
      say(`         ${fault.kind} could not be done: ${(error as Error).message}`)
    } finally {
      await ledger.write({ event: 'healed', fault: id })
    }
  }

  async #suffer(fault: Fault): Promise<void> {
    const { fleet, servers } = this.#options
    const { kind, target, durationMs } = fault
    const member = target === null ? undefined : fleet.member(target)
    const proxies = fleet.proxies(target)
    switch (kind) {
      case 'kill':
        if (!member) return
        member.cause = 'kill'
        member.signal('SIGKILL')
        await member.ended
        return
      case 'stop':
        member?.signal('SIGSTOP')
        await sleep(durationMs)
        member?.signal('SIGCONT')
        return
      case 'term':
        if (member) await fleet.terminate(member, 'term')
        return
      case 'cut':
        for (const proxy of proxies) proxy.cut()
        return
      case 'connect':
        for (const proxy of proxies) {
          proxy.trap({ step: fault.step ?? 'accept', afterSend: fault.afterSend ?? false })
          proxy.cut()
        }
        await sleep(durationMs)
        for (const proxy of proxies) proxy.trap(undefined)
        return
      case 'stall':
        for (const proxy of proxies) proxy.stall(true)
        await sleep(durationMs)
        for (const proxy of proxies) proxy.stall(false)
        return
      case 'delay':
        for (const proxy of proxies) proxy.delay(fault.delayMs ?? 0)
        await sleep(durationMs)
        for (const proxy of proxies) proxy.delay(0)
        return
      case 'flush':
        await (await servers.admin()).script('FLUSH')
        return
      case 'slow':
        await (await servers.admin()).call('DEBUG', 'SLEEP', String(durationMs / 1000))
        return
      case 'oom':
        return this.#outOfMemory(durationMs)
      case 'redis':
      case 'failover':
      case 'migrate':
        return servers.suffer(fault)
      case 'clock':
        return
    }
  }

  async #outOfMemory(durationMs: number): Promise<void> {
    const { servers } = this.#options
    const admin = await servers.admin()
    const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1] ?? 0)
    await admin.config('SET', 'maxmemory', String(used + OOM_ROOM))
    await sleep(durationMs)
    // The server may have been killed meanwhile, and then has no limit any more.
    await admin.config('SET', 'maxmemory', '0')
  }
}
