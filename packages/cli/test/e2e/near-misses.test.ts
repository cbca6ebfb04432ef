import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { showId } from '@arq-ts/protocol/jobs'
import { describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()
const logger = createLogger({ level: 'silent' })

/** A dead letter of this id, on `default`. */
async function makeDeadLetter(jobId: string): Promise<void> {
  const redis = bench.database().url
  const client = new Client({ redis, logger, queueName: 'default' })
  await client.enqueue('bad', [], { jobId })
  await client.close()
  const tasks = [defineTask({ name: 'bad', handler: () => Promise.reject(new Error('bad luck')) })]
  await new Worker({ redis, queueName: 'default', tasks, logger, burst: true, handleSignals: false }).run()
}

describe('a queue that nothing is known of', () => {
  test.each([
    ['show', 'queue     defualt\n'],
    ['resume', 'defualt was not paused\n'],
  ])('is reported by queue %s, with those that there are', async (verb, stdout) => {
    const ran = await bench.run(['queue', verb, 'defualt'])
    expect(ran.stderr).toBe('nothing is known of a queue defualt; there are default\n')
    expect(ran.stdout.slice(0, stdout.length)).toBe(stdout)
    expect(ran.code).toBe(1)
  })

  test('is not paused without --force', async () => {
    const ran = await bench.run(['queue', 'pause', 'defualt'])
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toContain('nothing is known of a queue defualt; there are default\nUse --force')
    expect(await bench.database().redis.exists('arq:paused')).toBe(0)
    expect(await bench.run(['queue', 'pause', 'defualt', '--force'])).toMatchObject({ code: 0 })
    expect(await bench.database().redis.smembers('arq:paused')).toEqual(['defualt'])
  })

  test('is not suggested the one that is configured', async () => {
    expect(await bench.run(['queue', 'show'])).toMatchObject({ code: 0, stderr: '' })
  })

  test('is suggested by queue purge', async () => {
    expect((await bench.run(['queue', 'purge', 'defualt', '--dry-run'])).stderr).toContain('nothing is known of')
  })
})

describe('dead letters by id', () => {
  test('that do not exist are named, and the command exits with 1', async () => {
    await makeDeadLetter('b1')
    const missing = [{ jobId: 'nosuch', error: 'no dead letter that matches' }]
    const dry = await bench.run(['dead', 'purge', 'b1', 'nosuch', '--dry-run', '--json'])
    expect(JSON.parse(dry.stdout)).toEqual({ matching: 1, purged: 0, refused: missing, dryRun: true })
    const retried = await bench.run(['dead', 'retry', 'b1', 'nosuch', '--yes'])
    expect(retried).toEqual({
      code: 1,
      stdout: '1 job queued again\n',
      stderr: 'nosuch: no dead letter that matches\n',
    })
  })

  test('none of which is there are no dry run', async () => {
    const ran = await bench.run(['dead', 'purge', 'zzz', '--yes', '--json'])
    expect(ran.code).toBe(1)
    expect(JSON.parse(ran.stdout)).toMatchObject({ matching: 0, purged: 0, dryRun: false })
    expect(await bench.json(['dead', 'retry', '--all'])).toEqual({
      matching: 0,
      retried: 0,
      refused: [],
      dryRun: false,
    })
  })
})

describe('a value', () => {
  test.each([
    [['job', 'enqueue', 'f', '--defer', '5'], "expected a duration such as 30s, 5m or 2h, got '5'"],
    [['job', 'enqueue', 'f', '--defer', '60ss'], "expected a duration such as 30s, 5m or 2h, got '60ss'"],
    [['job', 'enqueue', 'f', '--defer', '1m xyz'], "expected a duration such as 30s, 5m or 2h, got '1m xyz'"],
    [['job', 'enqueue', 'f', '--defer=-5m'], "expected a duration such as 30s, 5m or 2h, got '-5m'"],
    [['worker', 'x.mjs', '--metrics-port', 'abc'], "expected a port from 0 to 65535, got 'NaN'"],
    [['worker', 'x.mjs', '--metrics-port', '99999'], "expected a port from 0 to 65535, got '99999'"],
    [['worker', 'x.mjs', '--max-burst-jobs', '0'], "expected a whole number from 1, got '0'"],
  ])('that makes no sense is refused: %j', async (args, message) => {
    expect(await bench.run(args)).toEqual({ code: 2, stdout: '', stderr: `arq-ts: ${message}\n` })
  })

  test('of a duration may have several units', async () => {
    const { stdout } = await bench.run(['job', 'enqueue', 'f', '--defer', '1h 30m'])
    const job = await bench.json<{ dueTime: string }>(['job', 'show', stdout.trim()])
    expect(Math.round((Date.parse(job.dueTime) - Date.now()) / 60_000)).toBe(90)
  })
})

describe('health', () => {
  test('of a queue that nobody serves names those that are served', async () => {
    const redis = bench.database().url
    const tasks = [defineTask({ name: 'f', handler: () => 1 })]
    const worker = new Worker({ redis, queueName: 'own', tasks, logger, handleSignals: false })
    const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
    void worker.run()
    await started
    expect(await bench.run(['health'])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('live workers serve own') as string,
    })
    await worker.stop()
  })

  test('does not say what it may not ask', async () => {
    const { redis, url } = bench.database()
    const user = `curious-${Date.now()}`
    await redis.acl('SETUSER', user, 'on', '>p', '~*', '&*', '+@all', '-config', '-info')
    const address = new URL(url)
    address.username = user
    address.password = 'p'
    const ran = await bench.run(['health', '--deep', '--json', '--redis', address.href], { redis: false })
    await redis.acl('DELUSER', user)
    const { checks } = JSON.parse(ran.stdout) as { checks: { check: string; ok: boolean | null }[] }
    expect(checks.find(({ check }) => check === 'eviction policy')).toMatchObject({ ok: null })
  })
})

describe('words behind `--`', () => {
  test('are arguments, however they begin', async () => {
    expect(await bench.run(['job', 'show', '--', '-V1StGXR8'])).toMatchObject({
      code: 1,
      stderr: 'arq-ts: no job -V1StGXR8: it never was, or its result is no longer kept\n',
    })
    await makeDeadLetter('--dead')
    expect(await bench.run(['dead', 'retry', '--yes', '--', '--dead'])).toMatchObject({ code: 0 })
  })

  test('are refused where no argument is expected', async () => {
    expect(await bench.run(['queue', 'ls', '--', 'default'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'arq-ts: unknown: default; --help shows what there is\n',
    })
  })
})

test('the name of a job does not move the cursor of a terminal', async () => {
  const jobId = '\u001B[2J\u001B]0;title\u0007\u009B1Abad\r\u202Enews'
  await makeDeadLetter(jobId)
  for (const verb of [
    ['dead', 'ls'],
    ['dead', 'show', jobId],
    ['job', 'show', jobId],
    ['job', 'rm', `${jobId}!`],
  ]) {
    const { stdout, stderr } = await bench.run(verb)
    expect(stdout + stderr).not.toMatch(/(?!\n)[\p{Cc}\p{Bidi_Control}]/u)
    expect(stdout + stderr).toContain(showId(jobId))
  }
  expect(await bench.json(['dead', 'show', jobId])).toMatchObject({ jobId })
})
