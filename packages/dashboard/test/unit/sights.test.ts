import { expect, test } from 'vitest'
import { settingsOf } from '../../src/options.ts'
import type { DashboardUser } from '../../src/index.ts'
import { Shared } from '../../src/read/shared.ts'
import { Access } from '../../src/users/access.ts'
import { Sights } from '../../src/users/sight.ts'

/** Sights by a clock that a test moves, over queues of which some are hidden from everybody. */
function scene(queues: readonly string[]) {
  const hidden = new Set<string>()
  let nowMs = 0
  let asked = 0
  const authorize = (_: DashboardUser, __: string, { name }: { name: string }) => {
    asked++
    return !hidden.has(name)
  }
  const access = new Access(settingsOf({ authorize }))
  const sights = new Sights(() => nowMs)
  const sight = (user: DashboardUser) => sights.of(access, user, () => Promise.resolve(queues))
  return {
    hidden,
    pass: (ms: number) => void (nowMs += ms),
    asked: () => asked,
    sight,
    sees: async (user: DashboardUser, name: string) => (await sight(user)).inQueues([name], (each) => each),
  }
}

const QUEUES = Array.from({ length: 500 }, (_, i) => `queue-${i}`)

test('a hundred requests within a second ask as often as one does', async () => {
  const { asked, pass, sight, sees } = scene(QUEUES)
  await sight({ name: 'anna' })
  const once = asked()
  expect(once).toBe(QUEUES.length + 1)
  for (let i = 0; i < 100; i++) {
    pass(9)
    // Each request makes its user anew.
    await sees({ name: 'anna' }, 'queue-3')
  }
  expect(asked()).toBe(once)
})

test('a queue or a job that nobody knew of is asked for once in a second', async () => {
  const { asked, sight } = scene([])
  const seen = await sight({ name: 'anna' })
  const before = asked()
  for (let i = 0; i < 10; i++) {
    await seen.jobs([{ jobId: 'a', queueName: 'new' }])
    await seen.inQueues(['new'], (name) => name)
  }
  expect(asked()).toBe(before + 2)
})

test('a right that is taken away, and one that is given, take effect within a second', async () => {
  const { hidden, pass, sees } = scene(QUEUES)
  expect(await sees({ name: 'anna' }, 'queue-1')).toEqual(['queue-1'])
  hidden.add('queue-1')
  pass(1_000)
  expect(await sees({ name: 'anna' }, 'queue-1')).toEqual([])
  hidden.clear()
  pass(1_000)
  expect(await sees({ name: 'anna' }, 'queue-1')).toEqual(['queue-1'])
})

test('users share no sight: not by a name with another role, nor by fields that cannot be compared', async () => {
  const { asked, sight } = scene(['mail'])
  const users = [
    { name: 'anna' },
    { name: 'anna', role: 'guest' },
    { name: 'anna', teams: new Set(['a']) },
    { name: 'anna', teams: new Set(['b']) },
    Object.create({ team: 'a' }, { name: { value: 'anna', enumerable: true } }) as DashboardUser,
    { name: 'anna', [Symbol('team')]: 'a' },
    { name: 'anna', [Symbol('team')]: 'b' },
    Object.defineProperty({ name: 'anna' }, 'team', { value: 'a' }),
    ...[Number.NaN, Infinity, -Infinity, undefined, 'NaN'].map((level) => ({ name: 'anna', level })),
  ]
  const sights = await Promise.all(users.map((user) => sight(user)))
  expect(new Set(sights).size).toBe(users.length)
  expect(asked()).toBe(2 * users.length)
  // The order of the fields does not matter, and one object is one user.
  expect(await sight({ role: 'guest', name: 'anna' })).toBe(sights[1])
  expect(await sight(users[3]!)).toBe(sights[3])
})

test('an `authorize` that never answers holds up the requests of a minute, and not those after it', async () => {
  let nowMs = 0
  let stuck = 0
  const authorize = () => (nowMs === 0 && stuck++ >= 0 ? new Promise<boolean>(() => {}) : true)
  const access = new Access(settingsOf({ authorize }))
  const sights = new Sights(() => nowMs)
  const ask = () => sights.of(access, { name: 'anna' }, () => Promise.resolve(['mail']))
  void ask()
  while (stuck === 0) await Promise.resolve()
  nowMs = 60_000
  expect(await (await ask()).inQueues(['mail'], (name) => name)).toEqual(['mail'])
})

test('answers that are over are forgotten when another one is made', async () => {
  let nowMs = 0
  const shared = new Shared(1_000, () => nowMs)
  for (let i = 0; i < 10; i++) {
    nowMs += 1_000
    await shared.of(`later-${i}`, 1_000, () => Promise.resolve(i))
  }
  expect(shared.size).toBe(1)
})
