import { fileURLToPath } from 'node:url'
import { eventually, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { Client, createLogger, cron, defineTask, flow, Worker } from '@arq-ts/core'
import type { AuditEntry } from '@arq-ts/core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { runHere } from '../support/command.ts'
import { everyVerb } from '../support/grammar.ts'

const home = process.cwd()
const logger = createLogger({ level: 'silent' })
let database: Database
let client: Client
let worker: Worker

beforeAll(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, queueName: 'work', logger })
  const tick = cron('cron:nightly', { hour: 2 }, () => {})
  worker = new Worker({ redis: database.url, queueName: 'served', cron: [tick], logger, handleSignals: false })
  void worker.run()
  await eventually(async () => (await client.workers.list()).length === 1)
})
afterAll(async () => {
  await worker.stop()
  await client.close()
  await database.release()
})

const job = (jobId: string) => client.enqueue('nobody', ['secret'], { jobId, deferByMs: 3_600_000 })
const dead = async (jobId: string) => {
  const { redis } = database
  await job(`payload-${jobId}`)
  const payload = (await redis.getBuffer(`arq:job:payload-${jobId}`))!
  await redis.zadd('arq:dead', Date.now(), jobId)
  await redis.hset(`arq:dead:${jobId}`, { payload, queue: 'work', function: 'nobody', error: 'Error: no', try: '1' })
}
const schedule = () => client.schedules.put('hourly', { task: 'f', everyMs: 3_600_000 })
const aFlow = async (flowId: string) => {
  const f = flow('report')
  f.call(defineTask({ name: 'step', handler: () => {} }), [], { queueName: 'nobody' })
  return client.start(f, { flowId })
}

interface Act {
  /** Makes what the verb acts on. */
  prepare?: () => Promise<unknown>
  words: () => readonly string[]
  /** Package of this repository that the verb needs; it is looked for from the current folder. */
  needs?: 'qdrant' | 'write-behind'
  /** Action and resource of the entry. */
  entry: string
  count?: number
}

/** One call of each verb that changes something. */
const ACTS: Readonly<Record<string, Act>> = {
  'queue pause': { words: () => ['served'], entry: 'pause queue served' },
  'queue resume': { words: () => ['served'], entry: 'resume queue served' },
  'queue purge': {
    prepare: () => client.enqueue('f', [], { queueName: 'full' }),
    words: () => ['full', '--yes'],
    entry: 'remove queue full',
  },
  'job enqueue': { words: () => ['echo', 'secret', '--queue', 'work'], entry: 'enqueue queue work' },
  'job rm': { prepare: () => job('a'), words: () => ['a'], entry: 'remove job a' },
  'job move': {
    prepare: () => Promise.all([job('b'), job('c')]),
    words: () => ['b', 'c', '--to', 'else'],
    entry: 'move jobs',
    count: 2,
  },
  'job run-now': { prepare: () => job('d'), words: () => ['d'], entry: 'run-now job d' },
  'job abort': { prepare: () => job('e'), words: () => ['e', '--timeout', '30ms'], entry: 'abort job e' },
  'job retry': { prepare: () => dead('f'), words: () => ['f'], entry: 'retry job f' },
  'dead retry': {
    prepare: () => Promise.all([dead('g'), dead('h')]),
    words: () => ['--all', '--yes'],
    entry: 'retry jobs',
    count: 2,
  },
  'dead purge': { prepare: () => dead('i'), words: () => ['i', '--yes'], entry: 'remove job i' },
  'flow cancel': {
    prepare: () => aFlow('flow-1'),
    words: () => ['flow-1', '--yes'],
    entry: 'cancel-flow flow flow-1',
  },
  'flow replay': {
    prepare: async () => (await aFlow('flow-2')).cancel(),
    words: () => ['flow-2', '--yes'],
    entry: 'replay-flow flow flow-2',
  },
  'schedule put': { words: () => ['daily', 'f', '--every', '1d'], entry: 'put-schedule schedule daily' },
  'schedule pause': { prepare: schedule, words: () => ['hourly'], entry: 'pause schedule hourly' },
  'schedule resume': { words: () => ['hourly'], entry: 'resume schedule hourly' },
  'schedule run': { words: () => ['hourly'], entry: 'run-schedule schedule hourly' },
  'schedule rm': { words: () => ['hourly'], entry: 'remove-schedule schedule hourly' },
  'cron pause': { words: () => ['cron:nightly'], entry: 'pause cron job cron:nightly' },
  'cron resume': { words: () => ['cron:nightly'], entry: 'resume cron job cron:nightly' },
  'workers quiet': { words: () => [worker.id], entry: 'quiet worker ID' },
  'workers resume': { words: () => [worker.id], entry: 'resume worker ID' },
  'cache flush': { needs: 'write-behind', words: () => ['a-key', '--timeout', '30ms'], entry: 'flush cache a-key' },
  'collections keep': { needs: 'qdrant', words: () => ['old'], entry: 'cancel-deletion collection old' },
  'collections delete-now': {
    needs: 'qdrant',
    prepare: () => client.enqueue('delete_collection', ['old', 60], { queueName: 'default', deferByMs: 3_600_000 }),
    words: () => ['old', '--yes', '--queue', 'default'],
    entry: 'delete-now collection old',
  },
  doctor: {
    prepare: () => database.redis.set('full:health-check', 'nonsense'),
    words: () => ['--fix'],
    entry: 'repair queue full',
  },
}

const SERVES = 'it serves until a signal, and does not act'
const CANARY = 'canary.test.ts has a deployment to act on'
/** Verbs without a call here, and why. */
const OTHERS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['worker', 'exporter', 'dashboard', 'events'].map((verb) => [verb, SERVES])),
  top: 'top.test.ts presses its keys',
  ...Object.fromEntries(
    ['start', 'approve', 'pause', 'resume', 'promote', 'rollback'].map((verb) => [`canary ${verb}`, CANARY]),
  ),
}
/** Last words of verbs that change nothing. */
const READS = /(^| )(ls|show|history|explain|watch|health|workers|check|schema)$/

test('every verb that changes something has a call here', () => {
  const open = everyVerb().filter((verb) => !READS.test(verb) && !(verb in ACTS) && !(verb in OTHERS))
  expect(open).toEqual([])
})

const entries = async (): Promise<string[]> => (await client.history.audit()).map(({ id }) => id)

test.each(Object.entries(ACTS))(
  '%s appends who did what to the audit log',
  async (verb, { needs, prepare, words, ...due }) => {
    if (needs) process.chdir(fileURLToPath(new URL(`../../../${needs}`, import.meta.url)))
    onTestFinished(() => process.chdir(home))
    await prepare?.()
    const before = new Set(await entries())
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, USER: 'anna' }
    const ran = await runHere([...verb.split(' '), ...words(), '--redis', database.url], { env })
    const added = (await client.history.audit()).filter(({ id }) => !before.has(id))
    expect([ran, added.length]).toEqual([ran, 1])
    const [{ actor, action, resource, detail }] = added as [AuditEntry]
    expect(actor).toMatch(/^anna@./)
    expect(`${action} ${resource}`).toBe(due.entry.replace('ID', worker.id))
    expect(detail).toMatchObject({ count: due.count ?? 1, text: expect.any(String) })
    expect(JSON.stringify(added)).not.toContain('secret')
  },
)

test('a dry run, and a question that nobody answers, append nothing', async () => {
  await Promise.all([job('x'), dead('y')])
  const before = await entries()
  for (const words of [
    ['job', 'rm', '--all', '--dry-run'],
    ['dead', 'purge', '--all'],
    ['queue', 'purge', 'work'],
  ]) {
    await runHere([...words, '--redis', database.url])
  }
  expect(await entries()).toEqual(before)
})

test('an act whose entry cannot be written is done all the same, and reports that', async () => {
  const other = await takeDatabase()
  try {
    await other.redis.set('arq:obs:audit', 'no stream')
    const ran = await runHere(['queue', 'pause', 'work', '--force', '--redis', other.url])
    expect(ran).toMatchObject({ code: 0, stdout: 'work is paused\n' })
    expect(ran.stderr).toContain('the audit entry could not be written')
    expect(ran.stderr).toContain('arq:obs:audit')
    expect(await other.redis.smembers('arq:paused')).toEqual(['work'])
  } finally {
    await other.release()
  }
})
