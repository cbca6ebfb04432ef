import { eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { createLogger, defineTask } from '../../src/index.ts'
import { RedisContext } from '../../src/redis/context.ts'
import type { ScheduleRecords } from '../../src/redis/schedules.ts'
import { ScheduleService } from '../../src/schedules/schedule-service.ts'
import { silent, useHarness } from './support.ts'

const bench = useHarness()
const ids: string[] = []
const note = defineTask({ name: 'note', handler: (ctx) => void ids.push(ctx.jobId) })

describe('a schedule that lacks a field', () => {
  test.each(['revision', 'done'])(
    'its `%s` is reported and kept, and ticks again once it is repaired',
    async (field) => {
      const client = bench.client()
      const { redis } = bench.database()
      await client.schedules.put('bare', { everyMs: 60_000, task: note, missed: 'latest' })
      await redis.multi().hdel('arq:schedule:bare', field).zadd('arq:schedules', 1, 'bare').exec()
      const lines: string[] = []
      const logger = createLogger({
        level: 'error',
        destination: { write: (line: string) => void lines.push(line) },
      } as never)
      await bench.worker({ tasks: [note], logger })
      await eventually(() => lines.some((line) => line.includes('schedule bare does not tick')))
      expect(await client.schedules.get('bare')).toMatchObject({ problem: expect.any(String) as string })
      const { findings } = await client.doctor.examine()
      const [finding] = findings.filter(({ check }) => check === 'broken-schedule')
      expect(finding).toMatchObject({ severity: 'error', jobIds: ['bare'], repair: expect.any(String) as string })
      expect(await client.doctor.repair(finding!)).toBe(1)
      expect(await client.doctor.repair(finding!)).toBe(0)
      expect(await client.schedules.get('bare')).toMatchObject({
        problem: null,
        missed: 'latest',
        functionName: 'note',
      })
      // Moved back in time, as if no worker had looked at it for this long.
      const done = Number(await redis.hget('arq:schedule:bare', 'done')) - 60_000
      await redis.multi().hset('arq:schedule:bare', 'done', done).zadd('arq:schedules', done, 'bare').exec()
      ids.length = 0
      await redis.publish(`arq:schedules@${redis.options.db}`, 'bare')
      await eventually(() => ids.length === 1)
    },
  )

  test('is shown without a repair where its rule is gone', async () => {
    const client = bench.client()
    await client.schedules.put('ruleless', { everyMs: 60_000, task: note })
    await bench.database().redis.hdel('arq:schedule:ruleless', 'rule', 'revision')
    const { findings } = await client.doctor.examine()
    const [finding] = findings.filter(({ check }) => check === 'broken-schedule')
    expect(finding).toMatchObject({ jobIds: ['ruleless'], repair: null })
    expect(finding!.message).toContain('put it again')
    expect(await client.doctor.repair(finding!)).toBe(0)
  })
})

test('a rule that this process cannot follow is the problem of its schedule alone', async () => {
  const client = bench.client()
  const { redis } = bench.database()
  const rules = {
    'bad-distance': '{"kind":"every","everyMs":500,"startMs":0}',
    'bad-zone': '{"kind":"cron","cron":"0 8 * * *","timeZone":"Mars/Olympus"}',
  }
  for (const name of ['ahead', ...Object.keys(rules), 'healthy'])
    await client.schedules.put(name, { cron: '0 8 * * *', task: note })
  for (const [name, rule] of Object.entries(rules)) await redis.hset(`arq:schedule:${name}`, 'rule', rule)
  await redis.hset('arq:schedule:ahead', 'done', '1e300')
  const listed = await client.schedules.list()
  expect(listed.map(({ name, problem }) => [name, problem])).toEqual([
    ['ahead', null],
    ...Object.entries(rules).map(([name, rule]) => [name, `its rule cannot be read: ${rule}`]),
    ['healthy', null],
  ])
  expect(listed.map(({ next }) => next !== null)).toEqual([false, false, false, true])
  const { findings } = await client.doctor.examine()
  const broken = findings.filter(({ check }) => check === 'broken-schedule').flatMap(({ jobIds }) => jobIds)
  expect(broken.sort()).toEqual(['bad-distance', 'bad-zone'])
})

test('a schedule that a call took whose reply was lost is in the reply of the call that is sent again', async () => {
  const { redis, url } = bench.database()
  const link = new RedisContext({ redis: url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
  try {
    await link.schedules.take(5_000, 100)
    await bench.client().schedules.put('lost', { everyMs: 60_000, task: note })
    await redis.zadd('arq:schedules', 1, 'lost')
    const { client } = link.connection
    const id = await client.client('ID')
    // The server executes the next call and sends no reply.
    const { stream } = client as unknown as { stream: { write: (text: string) => void } }
    stream.write('CLIENT REPLY SKIP\r\n')
    const taken = link.schedules.take(5_000, 100)
    await eventually(async () => Number(await redis.zscore('arq:schedules', 'lost')) > 1)
    await redis.client('KILL', 'ID', id)
    expect((await taken).names).toEqual(['lost'])
  } finally {
    await link.close()
  }
})

test.each([0, -1, NaN])('a schedule keeps its times where a look gives %d as the time', async (nowMs) => {
  const client = bench.client()
  await client.schedules.put('kept', { everyMs: 3_600_000, task: note })
  const before = await client.schedules.get('kept')
  const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 86_400_000, log: silent })
  const { schedules } = link
  const records = {
    take: () => Promise.resolve({ nowMs, nextMs: null, names: ['kept'] }),
    read: (names: string[]) => schedules.read(names),
    names: () => schedules.names(),
    write: (write: Parameters<ScheduleRecords['write']>[0]) => schedules.write(write),
  } as unknown as ScheduleRecords
  const lines: string[] = []
  const log = createLogger({
    level: 'error',
    destination: { write: (line: string) => void lines.push(line) },
  } as never)
  const service = new ScheduleService({
    records,
    listen: () => Promise.resolve(() => {}),
    limits: link.limits,
    log,
    onEnqueued: () => {},
  })
  try {
    service.start()
    await eventually(() => lines.some((line) => line.includes(`Redis gave ${nowMs} as its time`)))
    await service.stop()
    expect(await client.schedules.get('kept')).toEqual(before)
  } finally {
    await link.close()
  }
})
