import { readFileSync } from 'node:fs'
import { Keys } from '@arq-ts/protocol/jobs'
import { RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KEY_KINDS } from '../../../src/redis/key-kinds.ts'
import { produce, work } from './fleet.ts'
import type { Met, Role } from './fleet.ts'

/** A third of the commands is tried, another one each time; `ARQ_TEST_MATRIX=all` tries all. */
const seed = Number(process.env.ARQ_TEST_SEED ?? Date.now() % 100_000)
const isTried = (_: unknown, at: number) => process.env.ARQ_TEST_MATRIX === 'all' || (at + seed) % 3 === 0

const guide = readFileSync(new URL('../../../../../docs/guides/security.md', import.meta.url), 'utf8')
/** Commands that the guide says a role uses. */
function documented(role: string): string[] {
  const [, text] = new RegExp(`^${role}: ([^]+?)(?:\\n\\n|\\n\`\`\`)`, 'm').exec(guide) ?? []
  return text!.split(/\s+/)
}

/** Commands that are not refused where they are missing, or not met by the work of this test. */
const UNMET: Readonly<Record<string, string>> = {
  eval: 'for a server that does not know a script yet',
  hkeys: 'for looks at limits, some seconds apart',
  zrem: 'for a job whose id was asked to abort before',
}
/** Refusals that a worker does without, and says nothing about. */
const SILENT: Readonly<Record<string, string>> = {
  'config|get': 'asks for keyspace events, which it subscribes to without an answer',
  dbsize: 'is for a line about the server',
  info: 'is for a line about the server',
  publish: 'announces what is found by polling as well',
  unsubscribe: 'ends what the end of the connection ends as well',
}

let server: RedisServer
let admin: Redis
let databases = 0

beforeAll(async () => {
  server = await RedisServer.start({ args: ['--notify-keyspace-events', 'Kz', '--acllog-max-len', '100000'] })
  admin = new Redis(server.url)
})
afterAll(async () => {
  admin.disconnect()
  await server.stop()
})

/** A new user with these rights, on a database of its own. */
async function roleWith(...rights: readonly string[]): Promise<Role> {
  const number = ++databases
  const user = `user-${number}`
  await admin.call('ACL', 'SETUSER', user, 'reset', 'on', '>secret', ...rights)
  return { user, url: `redis://${user}:secret@127.0.0.1:${server.port}/${number}` }
}

const helperOf = (role: Role) => `${server.url}/${role.url.split('/').at(-1)}`

/** Commands, keys and channels that the server has refused to a user. */
async function refusals({ user }: Role): Promise<string[]> {
  const entries = (await admin.call('ACL', 'LOG', '100000')) as unknown[][]
  const field = (entry: unknown[], name: string) => String(entry[entry.indexOf(name) + 1])
  const own = entries.filter((entry) => field(entry, 'username') === user).map((entry) => field(entry, 'object'))
  // From Redis 7.2 on, the driver names itself by it, and accepts a refusal.
  return [...new Set(own)].filter((object) => object !== 'client|setinfo')
}

const all = ['~*', '&*', '+@all']
const says = ({ lines, errors }: Met, what: string) =>
  [...lines, ...errors].some((line) => line.toLowerCase().includes(what.split('|')[0]!.toLowerCase()))

describe('the commands that the guide lists', () => {
  test('are enough for a worker', async () => {
    const role = await roleWith(
      '~arq:*',
      '&*',
      '-@all',
      ...[...documented('worker'), ...documented('producer')].map((command) => `+${command}`),
    )
    const met = await work(role, helperOf(role), async () => false)
    expect(await refusals(role)).toEqual(['config|get'])
    expect(met).toMatchObject({ errors: [], isDone: true })
  })

  test('are enough for a producer', async () => {
    const role = await roleWith('~arq:*', '&*', '-@all', ...documented('producer').map((command) => `+${command}`))
    const met = await produce(role, helperOf(role))
    expect(await refusals(role)).toEqual([])
    expect(met).toMatchObject({ errors: [], lines: [], isDone: true })
  })

  const ofWorkers = documented('worker').filter((command) => !(command in UNMET))
  test.concurrent.each(ofWorkers.filter(isTried))(
    'are all needed by a worker: it says that %s is missing',
    async (command) => {
      const role = await roleWith(...all, `-${command}`)
      const met = await work(role, helperOf(role), async (soFar) => says(soFar, command))
      expect(await refusals(role)).toContain(command)
      expect({ command, isSaid: command in SILENT ? met.isDone : says(met, command), ...met }).toMatchObject({
        isSaid: true,
      })
    },
    60_000,
  )

  const ofProducers = documented('producer').filter((command) => !(command in UNMET))
  test.concurrent.each(ofProducers.filter(isTried))(
    'are all needed by a producer: %s',
    async (command) => {
      const role = await roleWith(...all, `-${command}`)
      const met = await produce(role, helperOf(role))
      expect(await refusals(role)).toContain(command)
      expect({ command, isSaid: met.isDone || says(met, command), ...met }).toMatchObject({ isSaid: true })
    },
    60_000,
  )
})

/** Patterns of keys, by the kinds that there are: a new kind is tried without being listed. */
const patternsOf = (kind: string) => (kind === 'queue' ? ['arq:queue', 'arq:queue:*'] : [kind, `${kind}:*`])
const kinds = [...KEY_KINDS.filter((kind) => kind.startsWith('arq:')), 'queue']

describe('a worker whose user may not access keys', () => {
  test.concurrent.each(kinds.filter(isTried))(
    'of the kind %s says which, or needs none of them',
    async (kind) => {
      const others = kinds.filter((each) => each !== kind).flatMap(patternsOf)
      const role = await roleWith(...others.map((pattern) => `~${pattern}`), '&*', '+@all')
      const [own] = patternsOf(kind)
      const met = await work(role, helperOf(role), async (soFar) => says(soFar, own!))
      const refused = await refusals(role)
      expect({ kind, refused, isSaid: refused.length === 0 || says(met, own!), ...met }).toMatchObject({ isSaid: true })
      expect(
        refused.filter(
          (object) => !patternsOf(kind).some((pattern) => new RegExp(`^${pattern.replace('*', '.*')}$`).test(object)),
        ),
      ).toEqual([])
      if (refused.length === 0) expect(met.isDone).toBe(true)
    },
    60_000,
  )
})

describe('a worker whose user may not use channels', () => {
  const keys = new Keys('', 0)
  const channels = Object.entries({
    wakeChannel: keys.wakeChannel('*'),
    handOffChannel: keys.handOffChannel('*'),
    resultChannel: keys.resultChannel('*'),
    abortChannel: keys.abortChannel,
    orderChannel: keys.orderChannel,
    scheduleChannel: keys.scheduleChannel,
    events: `${keys.events}*`,
    flowsChannel: keys.flowsChannel,
    flowChannel: keys.flowChannel('*'),
    logChannel: keys.logChannel('*'),
    keyspace: '__keyspace@0__:*',
  }).map(([name, pattern]) => [name, pattern.replaceAll('@0', '@*')] as const)

  test('is listed with each of them', () => {
    const members = [...Object.keys(keys), ...Object.getOwnPropertyNames(Keys.prototype)]
    const known = [...channels.map(([name]) => name), 'endsChannel', 'eventListeners']
    expect(members.filter((name) => name.endsWith('Channel') && !known.includes(name))).toEqual([])
  })

  test.concurrent.each(channels.filter(isTried))(
    'such as %s does all its work by polling',
    async (_name, pattern) => {
      const others = channels.filter(([, each]) => each !== pattern).map(([, each]) => `&${each}`)
      const role = await roleWith('~*', ...others, '+@all')
      const met = await work(role, helperOf(role), async () => false)
      expect(met).toMatchObject({ errors: [], isDone: true })
    },
    60_000,
  )
})
