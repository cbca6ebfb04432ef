import { eventually } from '@arq-ts/test-support'
import { Keys } from '@arq-ts/protocol/jobs'
import { describe, expect, test } from 'vitest'
import { scheduleId } from '../../src/cron/tick-plan.ts'
import { createLogger, cron } from '../../src/index.ts'
import type { CronJobOptions } from '../../src/index.ts'
import { RedisContext } from '../../src/redis/context.ts'
import { silent, useHarness } from './support.ts'

const bench = useHarness()
const keys = new Keys()

test('simultaneous pauses and resumes count each once, and lose no span', async () => {
  const links = Array.from(
    { length: 3 },
    () => new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 1, log: silent }),
  )
  try {
    const startMs = Date.now()
    const begun: boolean[] = []
    const ended: boolean[] = []
    for (let round = 0; round < 8; round++) {
      const atMs = startMs + 100 * round
      await Promise.all(
        links.flatMap(({ cronPauses }, i) => [
          cronPauses.pause('cron:race', atMs + i).then((isNew) => begun.push(isNew)),
          cronPauses.resume('cron:race', atMs + 50 + i).then((isNew) => ended.push(isNew)),
        ]),
      )
    }
    const { earlier, ...last } = (await links[0]!.cronPauses.all()).get('cron:race')!
    const spans = [...earlier, last]
    expect(spans).toHaveLength(begun.filter(Boolean).length)
    expect(spans.filter(({ untilMs }) => untilMs !== null)).toHaveLength(ended.filter(Boolean).length)
  } finally {
    await Promise.all(links.map((link) => link.close()))
  }
})

test('a pause whose entry is not UTF-8 ends all the same', async () => {
  const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 1, log: silent })
  try {
    await bench.database().redis.hset(keys.cronPauses, 'cron:odd', Buffer.from([0xff, 0xfe]))
    expect(await link.cronPauses.resume('cron:odd', 1_000)).toBe(true)
    expect(await link.cronPauses.all()).toMatchObject(new Map([['cron:odd', { untilMs: 1_000 }]]))
  } finally {
    await link.close()
  }
})

describe('a paused cron job', () => {
  const everySecond = (ran: string[], options: CronJobOptions = {}) =>
    cron('cron:often', '* * * * * *', (ctx) => void ran.push(ctx.jobId), options)
  const leftOut = async () => Object.values(await bench.database().redis.hgetall(keys.obsTicks('cron:often')))

  test('is not enqueued by any worker until it is resumed, whatever its options, while others tick', async () => {
    const { redis } = bench.database()
    const client = bench.client()
    const ran: string[] = []
    const options: CronJobOptions[] = [{}, { unique: false }, { overlap: 'skip' }, { jobId: 'fixed' }]
    const names = options.map((_, i) => `cron:${i}`)
    const jobs = options.map((each, i) => cron(names[i]!, '* * * * * *', () => void ran.push(names[i]!), each))
    const other = cron('cron:other', '* * * * * *', () => void ran.push('cron:other'))
    for (const name of names) {
      expect(await client.cron.pause(name)).toBe(true)
      expect(await client.cron.pause(name)).toBe(false)
    }
    const lines: string[] = []
    const destination = { write: (line: string) => void lines.push(line) }
    const logger = createLogger({ level: 'info', destination } as never)
    for (let i = 0; i < 2; i++) await bench.worker({ cron: [...jobs, other], logger })
    const isLeftOut = (name: string) => lines.some((line) => line.includes(name) && line.includes('cron job is paused'))
    await eventually(() => names.every(isLeftOut) && ran.length > 1)
    expect(new Set(ran)).toEqual(new Set(['cron:other']))
    expect((await redis.keys('arq:job:*')).filter((key) => !key.includes('cron:other'))).toEqual([])
    for (const name of names) {
      expect(await client.cron.resume(name)).toBe(true)
      expect(await client.cron.resume(name)).toBe(false)
    }
    await eventually(() => names.every((name) => ran.includes(name)))
  })

  test('is listed with its pause, explained, diagnosed, audited, and leaves no missed ticks behind', async () => {
    const client = bench.client()
    const ran: string[] = []
    await bench.worker({ cron: [everySecond(ran)], recorder: { intervalMs: 100 } })
    await eventually(() => ran.length > 0)
    await client.cron.pause('cron:often', { actor: 'night shift' })
    await eventually(async () => (await leftOut()).some((tick) => tick.includes('"paused"')))
    const [listed] = await client.cron.list()
    expect(listed).toMatchObject({ name: 'cron:often', pause: { reach: 'exact', because: null } })
    expect(Math.abs(listed!.pause!.since!.getTime() - Date.now())).toBeLessThan(60_000)
    const tick = `cron:often:${Date.now() + 3_600_000}`
    const { reasons } = await client.jobs.explain(tick)
    expect(reasons.find(({ check }) => check === 'cron')).toMatchObject({ ok: false })
    const { findings } = await client.doctor.examine()
    expect(findings.find(({ check }) => check === 'paused-cron')).toMatchObject({ jobIds: ['cron:often'] })
    expect(await client.history.audit()).toMatchObject([{ actor: 'night shift', action: 'pause' }])
    expect((await client.history.events()).map(({ kind }) => kind)).toContain('cron-paused')
    const [history] = await client.history.cron()
    expect(history).toMatchObject({ paused: true, missed: [] })
    await client.cron.resume('cron:often', { actor: null })
    expect((await client.cron.list())[0]!.pause).toBeNull()
    expect(await client.history.audit()).toHaveLength(1)
  })

  test('does not make up for ticks that the pause left out, but for ticks that were missed before', async () => {
    const client = bench.client()
    const { redis } = bench.database()
    const at = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 600_000)
    const [atMs, schedule] = [at.getTime(), `${at.getUTCMinutes()} ${at.getUTCHours()} * * *`]
    const runs = async (pause: string) => {
      const ran: string[] = []
      await redis.flushdb()
      const job = cron('cron:daily', schedule, (ctx) => void ran.push(ctx.jobId), { timeZone: 'UTC', missed: 'latest' })
      await redis.set(keys.tickRecord(scheduleId(job, undefined)), atMs - 86_400_000)
      await redis.hset(keys.cronPauses, 'cron:daily', pause)
      await (await bench.worker({ cron: [job], burst: true })).run()
      return ran.length
    }
    expect(await runs(`${atMs - 60_000}-${atMs + 60_000}`)).toBe(0)
    expect(await runs(`${atMs + 60_000}-${atMs + 120_000}`)).toBe(1)
    expect(await runs(`${atMs + 60_000}`)).toBe(0)
    expect(await runs('of a version to come')).toBe(0)
    expect((await client.cron.list())[0]!).toMatchObject({ name: 'cron:daily', pause: { since: null } })
  })

  test('is advisory where no live arq-ts worker has it: a Python worker of any queue may', async () => {
    const client = bench.client()
    await client.cron.pause('cron:nightly')
    await bench.worker({ cron: [everySecond([])] })
    await client.cron.pause('cron:often')
    const pauses = (await client.cron.list()).map(({ name, pause }) => [name, pause?.reach, pause?.because])
    const because = 'no live arq-ts worker has it; a Python worker that has it enqueues its ticks'
    expect(pauses).toEqual([
      ['cron:nightly', 'advisory', because],
      ['cron:often', 'exact', null],
    ])
    const { findings } = await client.doctor.examine()
    const paused = findings.filter(({ check }) => check === 'paused-cron')
    expect(paused.map(({ jobIds, message }) => [jobIds, message.includes(because)])).toEqual([
      [['cron:often'], false],
      [['cron:nightly'], true],
    ])
  })

  test('does not make up for what an earlier pause left out, and knows the last 32 pauses of a week', async () => {
    const { redis } = bench.database()
    const link = new RedisContext({ redis: bench.database().url, keyPrefix: '', expiresExtraMs: 1, log: silent })
    const pauses = link.cronPauses
    const minute = 60_000
    const at = new Date(Math.floor(Date.now() / minute) * minute - 10 * minute)
    const [atMs, schedule] = [at.getTime(), `${at.getUTCMinutes()} ${at.getUTCHours()} * * *`]
    const runs = async (...minutes: [from: number, to: number][]) => {
      const ran: string[] = []
      await redis.flushdb()
      const job = cron('cron:daily', schedule, (ctx) => void ran.push(ctx.jobId), { timeZone: 'UTC', missed: 'latest' })
      await redis.set(keys.tickRecord(scheduleId(job, undefined)), atMs - 86_400_000)
      for (const [from, to] of minutes) {
        expect(await pauses.pause('cron:daily', atMs + from * minute)).toBe(true)
        expect(await pauses.resume('cron:daily', atMs + to * minute)).toBe(true)
      }
      await (await bench.worker({ cron: [job], burst: true })).run()
      return ran.length
    }
    const many = (count: number) =>
      Array.from({ length: count }, (_, i): [number, number] => [i * 0.1 + 1, i * 0.1 + 1.05])
    try {
      expect(await runs([-1, 1], [2, 3], [4, 5])).toBe(0)
      expect(await runs([-9, -8], [-2, -1], [1, 2])).toBe(1)
      expect(await runs([-1, 1], ...many(31))).toBe(0)
      expect(await runs([-1, 1], ...many(32))).toBe(1)
      expect(await pauses.all()).toMatchObject(new Map([['cron:daily', { untilMs: atMs + 4.15 * minute }]]))
      expect((await pauses.all()).get('cron:daily')!.earlier).toHaveLength(31)
      // A week later none of them counts.
      await pauses.pause('cron:daily', atMs + 8 * 86_400_000)
      expect(await redis.hget(keys.cronPauses, 'cron:daily')).toBe(String(atMs + 8 * 86_400_000))
      // Whatever else is in an entry is a pause that lasts.
      for (const text of ['1-2,', '1-2,x', '5,1-2', '']) {
        await redis.hset(keys.cronPauses, 'cron:daily', text)
        expect((await pauses.all()).get('cron:daily')!.untilMs).toBeNull()
      }
    } finally {
      await link.close()
    }
  })

  test('is advisory next to a Python worker, and where a worker of an older version has it', async () => {
    const { redis } = bench.database()
    const client = bench.client()
    const worker = await bench.worker({ cron: [everySecond([])] })
    await client.cron.pause('cron:often')
    expect((await client.cron.list())[0]!.pause).toMatchObject({ reach: 'exact' })
    const { heedsCronPauses, ...entry } = worker.describe()
    expect(heedsCronPauses).toBe(true)
    const old = { ...entry, id: 'old', healthLine: null }
    await redis.set(keys.worker('old'), JSON.stringify(old))
    await redis.zadd(keys.workers, Date.now() + 60_000, 'old')
    expect((await client.cron.list())[0]!.pause).toMatchObject({
      reach: 'advisory',
      because: expect.stringContaining('old'),
    })
    await redis.zrem(keys.workers, 'old')
    const line = 'Nov-28 12:00:00 j_complete=1 j_failed=0 j_retried=0 j_ongoing=0 queued=0'
    await eventually(async () => {
      await redis.set(keys.healthCheck('arq:queue'), line)
      const [{ pause } = { pause: null }] = await client.cron.list()
      return pause?.because?.includes('Python') === true
    })
    const { findings } = await client.doctor.examine()
    expect(findings.find(({ check }) => check === 'paused-cron')?.message).toMatch(/advisory|has been|paused/)
  })
})
