import { mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pythonArq, whyNoPython } from '@arq-ts/test-support'
import type { Redis } from 'ioredis'
import { Fleet } from '../fleet/fleet.ts'
import { Injector } from '../fleet/injector.ts'
import { checkBounds } from '../judge/bounds.ts'
import { judge } from '../judge/judge.ts'
import { dueTime } from '../judge/ticks.ts'
import type { Fault } from '../plan/faults.ts'
import { SKIPPING_TICK, TASKS, TICK } from '../plan/jobs.ts'
import { planFaults } from '../plan/schedule.ts'
import { planFleet, QUEUES } from '../plan/slots.ts'
import { LedgerClient } from '../processes/ledger-client.ts'
import { RedisProcess } from '../servers/redis-process.ts'
import { startServers } from '../servers/start.ts'
import { CLUSTER_PREFIX } from '../servers/topology.ts'
import { loadOf } from './options.ts'
import type { RunOptions } from './options.ts'
import { summarizeMemory } from './memory.ts'
import type { Report } from './report.ts'
import { readLedger, scanKeys } from './scan.ts'

const ARQ_VERSION = '0.28.0'

/** A queue that has not changed for this long is stuck, in ms. Longer than arq's own recovery: job timeout + 10 s. */
const STUCK_MS = 45_000

/** The schedule that a run of these options suffers, Python or not. */
export function scheduleOf(options: RunOptions, python: boolean): Fault[] {
  const { seed, minutes, faults, topology, leaseMs } = options
  const slots = planFleet({ python, clock: faults.includes('clock') })
  return planFaults({ seed, durationMs: minutes * 60_000, kinds: faults, topology, slots, leaseMs })
}

/** Reason why Python plays no part; undefined where it does. */
export async function whyNoPythonHere(options: RunOptions): Promise<string | undefined> {
  if (!options.python) return 'it was not wanted'
  return options.topology === 'cluster' ? "a cluster needs a prefix before arq's key names" : whyNoPython()
}

/** One whole run: fleet, faults, drain, judgement. */
export async function run(options: RunOptions, say: (line: string) => void, signal: AbortSignal): Promise<Report> {
  const { seed, minutes, leaseMs, topology, logLevel } = options
  const dir = resolve(import.meta.dirname, '../../../.cache/chaos', seed)
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  const noPython = await whyNoPythonHere(options)
  if (noPython !== undefined) say(`Python is left out: ${noPython}`)
  const python = noPython === undefined ? await pythonArq(ARQ_VERSION) : undefined
  const slots = planFleet({ python: python !== undefined, clock: options.faults.includes('clock') })
  const faults = scheduleOf(options, python !== undefined)
  const prefix = topology === 'cluster' ? CLUSTER_PREFIX : ''

  const ledgerServer = await RedisProcess.start({ name: 'ledger', dir, args: ['--appendonly', 'no'] })
  const ledgerReader = ledgerServer.client()
  const ledger = new LedgerClient(ledgerServer.port)
  const servers = await startServers(topology, dir, (fault, phase) => {
    if (phase === 'began') say('         failover: another master')
    const entry =
      phase === 'began' ? { event: 'fault', fault, kind: 'failover', target: '' } : { event: 'healed', fault }
    void ledger.write(entry)
  })
  const load = loadOf(options, python !== undefined)
  const common = { seed, ledgerPort: ledgerServer.port, leaseMs, ...load, logLevel, python: python !== undefined }
  const fleet = new Fleet({ slots, servers, ledger, python, dir, common })
  try {
    say(`starting ${slots.length} processes on ${topology}`)
    await fleet.start()
    const faultsFromMs = Date.now()
    const injector = new Injector({ fleet, servers, ledger, say })
    const over = sleep(minutes * 60_000, undefined, { signal }).catch(() => {})
    await Promise.all([injector.run(faults, signal), over])
    await servers.heal()
    for (const proxy of fleet.proxies(null)) proxy.clear()
    const faultsUntilMs = Date.now()
    say('faults are over: draining')
    await fleet.retire(['ts-producer', 'py-producer'])
    await drain(() => servers.admin(), prefix, say)
    const stoppedMs = Date.now()
    await fleet.retire(['ts-worker', 'py-worker'])
    say('judging')
    const book = await readLedger(ledgerReader, options.ledger)
    const { remains, kept, odd } = await scanKeys(await servers.admin(), prefix, QUEUES, book)
    const verdict = judge(book, remains, {
      leaseMs,
      keepResultMs: (task) => (TASKS as Record<string, { keepResultMs: number } | undefined>)[task]?.keepResultMs,
      tickNames: [TICK, SKIPPING_TICK],
      everySecond: TICK,
      faultsFromMs,
      faultsUntilMs,
      stoppedMs,
    })
    if (verdict.accepted === 0)
      throw new Error('no job was accepted: this run says nothing; see the logs of the producers')
    const happened: Record<string, number> = {}
    for (const { kind } of faults) happened[kind] = (happened[kind] ?? 0) + 1
    return {
      seed,
      minutes,
      topology,
      leaseMs,
      python: noPython ?? `arq ${ARQ_VERSION}`,
      faults: happened,
      verdict,
      exits: fleet.oddExits,
      pythonExits: fleet.pythonExits,
      keys: { kept, odd },
      memory: summarizeMemory(fleet.memory),
      ledgerEntries: book.entries,
      bounds: checkBounds({ verdict, exits: fleet.oddExits, keys: odd, leaseMs }),
      logs: join('.cache', 'chaos', seed),
    }
  } finally {
    await fleet.stop()
    await ledger.close()
    ledgerReader.disconnect()
    await servers.stop()
    await ledgerServer.kill()
  }
}

/** Waits until no queue has a member but ticks to come, or nothing has changed for too long. */
async function drain(admin: () => Promise<Redis>, prefix: string, say: (line: string) => void): Promise<void> {
  let left = Infinity
  let changedMs = performance.now()
  let empty = 0
  for (;;) {
    const redis = await admin()
    const members = (await Promise.all(QUEUES.map((queue) => redis.zrange(prefix + queue, '0', '-1')))).flat()
    const waiting = members.filter((id) => !id.startsWith('cron:') || dueTime(id) < Date.now() - 2_000).length
    if (waiting !== left) changedMs = performance.now()
    left = waiting
    empty = waiting === 0 ? empty + 1 : 0
    if (empty === 3) return
    if (performance.now() - changedMs > STUCK_MS) {
      say(`${left} jobs are stuck: nothing has changed for ${STUCK_MS / 1000} s`)
      return
    }
    await sleep(500)
  }
}
