import { showId } from '@arq-ts/protocol/jobs'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultyValues, keyTable } from '../../../../core/test/support/faulty-keys.ts'
import { collectStrayErrors } from '../../../../core/test/support/stray-errors.ts'
import { runHere } from '../../support/command.ts'
import type { Ran } from '../../support/command.ts'
import { everyVerb } from '../../support/grammar.ts'
import { CalmFleet } from './fleet.ts'
import { LiveVerbs, liveVerbs } from './live.ts'
import { faultsApart, faultsOfAll, healthyState, KEYS, stage } from './scene.ts'
import type { Fault } from './scene.ts'
import { bulkActs, deadActs, ELSEWHERE, jobActs, looks, mildActs, packageActs, queueActs, workerActs } from './verbs.ts'
import type { Act, BulkAct } from './verbs.ts'

/** The keys of each type; a new member of `Keys` needs its place. */
const NAMES: Readonly<Record<string, string>> = {
  string:
    'healthCheck healthLine job inProgress retry result trace lastError lastTick tickRecord worker workerOrder obsFunction obsFlush obsQueues obsCollector flowConductor orphans',
  zset: 'abort dead workers queue reserved schedules limitWatch limitRunning limitOffered limitWaiting flows flowWatch',
  hash: 'stats deadLetter obsSeries obsNumbers obsDepth obsErrors obsError limits held cronPauses limitState unique schedule obsNoted obsTicks obsTicked',
  set: 'paused',
  list: 'waiting obsTried obsTries obsLogged',
  stream: 'obsEvents obsRecent obsAudit obsLog',
}
const TYPES = Object.fromEntries(
  Object.entries(NAMES).flatMap(([type, names]) => names.split(' ').map((name) => [name, type])),
)

/** Errors that nobody caught: each would have ended the command. */
const stray = collectStrayErrors()
/** Everything that is not as it should be, a line each: one run shows all. */
const wrong: string[] = []

let fleet: CalmFleet
let database: Database
let live: LiveVerbs

beforeAll(async () => {
  fleet = await CalmFleet.take()
  database = await takeDatabase()
  await fleet.restore(database)
  live = await LiveVerbs.start(database, fleet)
}, 120_000)
afterAll(async () => {
  const endedBadly = await live.stop()
  await database.release()
  expect(endedBadly, 'verbs that a signal ends').toEqual([])
})

/** Runs a verb; what must hold for any of them is held here. */
async function run(words: readonly string[], about: string): Promise<Ran> {
  const queues = ['default', ...KEYS.filter(({ scope }) => scope === 'queue').map(({ name }) => `queue-${name}`)]
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ARQ_TS_TASK_QUEUE__QUEUES: queues.join(',') }
  const ran = await runHere([...words, '--redis', database.url], { env })
  const say = (what: string) => wrong.push(`${words.join(' ')} [${about}]: ${what}`)
  if (![0, 1, 2].includes(ran.code)) say(`exit code ${ran.code}`)
  const text = ran.stdout + ran.stderr
  if (/^\s+at .*:\d+:\d+/m.test(text)) say(`a raw stack trace: ${text.slice(0, 600)}`)
  if (/\bundefined\b|\[object |\bNaN\b/.test(text)) say(`a value of JavaScript's: ${text.slice(0, 300)}`)
  if (words.includes('--json')) {
    try {
      JSON.parse(ran.stdout)
    } catch {
      say(`no JSON: ${ran.stdout.slice(0, 300)}`)
    }
  }
  if (stray.length > 0) say(`nobody caught ${String(stray.splice(0))}`)
  return ran
}

async function damaged(faults: readonly Fault[]): Promise<Fault[]> {
  const types = await Promise.all(faults.map(({ key }) => database.redis.type(key)))
  return faults.filter(({ name }, i) => types[i] !== 'none' && types[i] !== TYPES[name])
}

/** The verbs that look at everything show what is healthy, and name each key of a wrong type that they read. */
async function lookAtAll(faults: readonly Fault[], isJson: boolean, about: string): Promise<void> {
  const wrongTypes = await damaged(faults)
  const before = await healthyState(database)
  const all = looks(fleet.workerId).map((look) => ({
    look,
    words: isJson || look.isJsonOnly ? [...look.words, '--json'] : look.words,
  }))
  await Promise.all(
    all.map(async ({ look, words }) => {
      const ran = await run(words, about)
      const isHidden = faults.some(({ name }) => look.hiddenBy?.includes(name)) && wrongTypes.length > 0
      const text = ran.stdout + ran.stderr
      for (const each of isHidden ? [] : look.shows) {
        if (!ran.stdout.includes(each))
          wrong.push(`${words.join(' ')} [${about}]: ${each} is not shown: ${text.slice(0, 300)}`)
      }
      for (const { name, key, scope, state, victim } of wrongTypes.filter((each) => look.reads.includes(each.name))) {
        const isEnded = name === 'result' || name === 'deadLetter'
        const isRead = scope !== 'job' || look.words[0] === 'doctor' || (state === 'ended') === isEnded
        if (!isRead || text.includes(showId(key)) || text.includes(victim.workerId)) continue
        // For people, the first five of a kind are named.
        if (look.words[0] === 'doctor' && !words.includes('--json') && wrongTypes.length > 5) continue
        wrong.push(`${words.join(' ')} [${about}]: ${key} is not named`)
      }
    }),
  )
  for (const line of await live.look()) wrong.push(`${line} [${about}]`)
  compare(before, await healthyState(database), `looks [${about}]`)
}

/** A verb about what has a fault answers, and names the key where that stops it; the healthy jobs are not touched. */
async function actOn(faults: readonly Fault[], acts: readonly Act[], about: string, planted = faults): Promise<void> {
  const before = await healthyState(database)
  let turn = 0
  for (const act of acts) {
    await Promise.all(
      faults.map(async (fault) => {
        const words = [...act(fault), ...(turn++ % 2 === 0 ? ['--json'] : [])]
        const { stdout, stderr } = await run(words, `${about} at ${fault.key}`)
        const text = stdout + stderr
        if (/WRONGTYPE/.test(text) && !planted.some(({ key }) => text.includes(key)))
          wrong.push(`${words.join(' ')} [${about} at ${fault.key}]: refused without the name of the key: ${text}`)
      }),
    )
  }
  compare(before, await healthyState(database), `acts [${about}]`)
}

/** A verb about many jobs does what can be done, and says of each other one why not. */
async function actOnMany(faults: readonly Fault[], acts: readonly BulkAct[], about: string): Promise<void> {
  const jobIds = faults.map(({ victim }) => victim.jobId)
  for (const [i, { words, healthy, shows }] of acts.entries()) {
    const [command, ...args] = shows
    const before = await database.redis.call(command, args)
    const half = Math.floor(jobIds.length / 2)
    const all = [...jobIds.slice(0, half), healthy, ...jobIds.slice(half)]
    const ran = await run([...words(all), ...(i % 2 === 0 ? ['--json'] : [])], about)
    const after = await database.redis.call(command, args)
    if (before === after)
      wrong.push(`${words([healthy]).join(' ')} [${about}]: ${healthy} was left out: ${ran.stdout}${ran.stderr}`)
  }
}

function compare(before: Record<string, string>, after: Record<string, string>, about: string): void {
  for (const [what, value] of Object.entries(before))
    if (after[what] !== value) wrong.push(`${about}: ${what} has changed`)
}

/** `doctor --fix` takes what is in the way out of it, and leaves the healthy jobs alone. */
async function fix(faults: readonly Fault[], about: string): Promise<void> {
  const before = await healthyState(database)
  await run(['doctor', '--fix', '--json'], about)
  for (const { key } of await damaged(faults)) wrong.push(`doctor --fix [${about}]: ${key} is still in the way`)
  const left = await run(['doctor', '--json'], about)
  const { findings } = JSON.parse(left.stdout) as {
    findings: { check: string; severity: string; repair: string | null }[]
  }
  for (const { check, repair } of findings)
    if (repair !== null) wrong.push(`doctor [${about}]: ${check} is still there`)
  compare(before, await healthyState(database), `doctor --fix [${about}]`)
}

test('every key has a type, and none is left out but channels and what only the dashboard writes', () => {
  const left = Object.entries(keyTable).flatMap(([name, keyOf]) => (keyOf ? [] : [name]))
  const isChannel = (name: string) => /Channel$|^events$|^eventListeners$/.test(name)
  expect(left.filter((name) => !isChannel(name)).sort()).toEqual([
    // Named by a flow: flows.test.ts of packages/core damages each of them.
    'flow',
    'flowCalls',
    'flowOpen',
    'flowOut',
    'flowResults',
    'flowTodo',
    'obsPlan',
    'obsSeen',
    'obsTrash',
    'prefix',
  ])

  expect(Object.keys(TYPES).sort()).toEqual(KEYS.map(({ name }) => name).sort())
})

test('every verb of the command has a case, or a reason to have none', () => {
  const [fault] = faultsApart()
  const words = [
    ...looks(fleet.workerId).map((look) => look.words),
    ...[...jobActs, ...mildActs, ...queueActs, ...workerActs, ...packageActs].map((act) => act(fault!)),
    ...[...bulkActs, ...deadActs].map((act) => act.words(['id'])),
  ].map((each) => `${each.join(' ')} `)
  const isLive = (verb: string) => Object.keys(liveVerbs(database, fleet)).includes(verb)
  const verbs = everyVerb()
  const isCase = (verb: string) => {
    const longer = verbs.filter((each) => each.startsWith(`${verb} `))
    return words.some((each) => each.startsWith(`${verb} `) && !longer.some((other) => each.startsWith(`${other} `)))
  }
  const open = verbs.filter((verb) => !isLive(verb) && !isCase(verb))
  expect(open.sort()).toEqual(Object.keys(ELSEWHERE).sort())
})

describe('a fault at any key leaves every verb at work', () => {
  test.each(Object.entries(faultyValues))(
    '%s',
    async (value, plant) => {
      wrong.length = 0
      const turn = Object.keys(faultyValues).indexOf(value)
      // For people and as JSON in turn: each value meets both.
      for (const [i, faults] of [faultsApart(), faultsOfAll()].entries()) {
        await stage(fleet, database, faults, plant)
        await lookAtAll(faults, (turn + i) % 2 === 0, value)
        await fix(faults, value)
      }
      const jobFaults = faultsApart().filter(({ scope }) => scope === 'job')
      const queueFaults = faultsApart().filter(({ scope }) => scope === 'queue')
      const workerFaults = faultsApart().filter(({ scope }) => scope === 'worker')
      await stage(fleet, database, [...jobFaults, ...queueFaults, ...workerFaults], plant)
      await actOn(queueFaults, queueActs, value)
      await actOn(jobFaults, jobActs, value)
      await actOn(workerFaults, workerActs, value)
      for (const acts of [bulkActs, ...deadActs.map((act) => [act])]) {
        await stage(fleet, database, jobFaults, plant)
        await actOnMany(jobFaults, acts, value)
      }
      await stage(fleet, database, faultsOfAll(), plant)
      await actOn(faultsOfAll(), mildActs, value)
      await actOn(faultsOfAll().slice(0, 1), packageActs, value, faultsOfAll())
      expect(wrong.join('\n')).toBe('')
    },
    600_000,
  )
})
