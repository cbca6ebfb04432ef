import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()
test('queue ls of a database without jobs and workers names the database', async () => {
  const { stderr } = await bench.run(['queue', 'ls'])
  const { host, pathname } = new URL(bench.database().url)
  expect(stderr).toContain(`no job and no live worker at redis://${host}${pathname}; --redis names another database`)
  await bench.database().redis.zadd('default', Date.now() + 3_600_000, 'a')
  expect((await bench.run(['queue', 'ls'])).stderr).not.toContain('no job')
})

const noop = defineTask({ name: 'noop', handler: () => {} })

test('health, doctor and queue ls name a queue without a worker immediately', async () => {
  const { redis, url } = bench.database()
  const logger = createLogger({ level: 'silent' })
  const worker = new Worker({ redis: url, tasks: [noop], queueName: 'default', logger, handleSignals: false })
  const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
  const running = worker.run()
  await started
  interface Health {
    ok: boolean
    checks: { check: string; ok: boolean | null; detail: string }[]
  }
  const health = async (...more: string[]) => {
    const { ok, checks } = await bench.json<Health>(['health', '--deep', ...more])
    return { ok, about: checks.find(({ check }) => check === 'workers of lost') }
  }
  try {
    await redis.zadd('lost', Date.now() + 3_600_000, 'a')
    // A worker may listen by the time the job is due.
    expect(await health()).toMatchObject({ ok: true, about: { ok: null, detail: 'none: none due, 1 deferred' } })
    await redis.zadd('lost', Date.now() - 1, 'b')
    expect(await health()).toMatchObject({ ok: false, about: { ok: false, detail: 'none: 1 due' } })
    expect((await health('--queue', 'default')).about).toBe(undefined)
    const { findings } = await bench.json<{ findings: { check: string; queueName: string; severity: string }[] }>([
      'doctor',
    ])
    const unheard = findings.find(({ check }) => check === 'no-workers')
    expect(unheard).toMatchObject({ queueName: 'lost', severity: 'warning' })
    expect((await bench.run(['queue', 'ls'])).stderr).toContain('nothing listens to lost: 1 job due')
    await redis.set('lost:health-check', 'Nov-28 12:00:00 j_complete=0 j_failed=0 j_retried=0 j_ongoing=0 queued=2')
    expect(await health()).toEqual({ ok: true, about: undefined })
    expect((await bench.run(['queue', 'ls'])).stderr).not.toContain('nothing listens')
  } finally {
    await worker.stop()
    await running
  }
})

test('job move names a queue that no live worker serves', async () => {
  const client = new Client({ redis: bench.database().url, logger: createLogger({ level: 'silent' }) })
  await client.enqueue('f', [], { queueName: 'here', jobId: 'moved' })
  await client.close()
  expect(await bench.run(['job', 'move', 'moved', '--to', ' there'])).toMatchObject({
    code: 0,
    stderr: 'no live worker serves \\x20there\n',
  })
})
