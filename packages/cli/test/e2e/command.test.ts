import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { eventually, RedisServer } from '@arq-ts/test-support'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { main, useCommand } from '../support/command.ts'

const bench = useCommand()
const logger = createLogger({ level: 'silent' })

describe('the configuration', () => {
  test('comes from file, environment and flags, in that order, and says so', async () => {
    writeFileSync(
      join(bench.folder(), 'arq-ts.toml'),
      '[task_queue]\nmax_jobs = 3\nmax_tries = 4\nredis_password = "hunter2"\n',
    )
    const { stdout } = await bench.run(['config', 'show'], { env: { ARQ_TS_TASK_QUEUE__MAX_TRIES: '6' } })
    expect(stdout).toMatch(/^max_jobs +3 +arq-ts\.toml:2$/m)
    expect(stdout).toMatch(/^max_tries +6 +ARQ_TS_TASK_QUEUE__MAX_TRIES$/m)
    expect(stdout).toMatch(/^redis_url +redis:\/\/\S+ +--redis$/m)
    expect(stdout).toMatch(/^queue_name +default +default$/m)
    expect(stdout).toMatch(/^redis_password +\*\*\* /m)
  })

  test('of the Python application is read by its prefix', async () => {
    const env = { AI_DOCS_TASK_QUEUE__QUEUE_NAME: 'theirs', ARQ_TS_TASK_QUEUE__QUEUE_NAME: 'ours' }
    expect((await bench.run(['config', 'show', '--env-prefix', 'AI_DOCS_'], { env })).stdout).toMatch(
      /^queue_name +theirs /m,
    )
  })

  test('is checked, line by line', async () => {
    writeFileSync(join(bench.folder(), 'arq-ts.yaml'), 'task_queue:\n  max_jobs: 3\n  retry_dely: 5\n')
    expect(await bench.run(['config', 'check'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'arq-ts: arq-ts.yaml:3: Unknown option `retry_dely`, did you mean `retry_delay`?\n',
    })
    writeFileSync(join(bench.folder(), 'arq-ts.yaml'), 'task_queue:\n  max_jobs: 3\n')
    expect((await bench.run(['config', 'check'], { redis: false })).stdout).toBe(
      'arq-ts.yaml: 1 setting given, nothing is wrong\n',
    )
  })

  test('names task packages that the worker runs', async () => {
    const folder = join(bench.folder(), 'node_modules', 'my-tasks')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{"name":"my-tasks","type":"module","exports":"./index.js"}')
    writeFileSync(
      join(folder, 'index.js'),
      `export const createTasks = ({ word }, { logger }) => ({
        tasks: [{ name: 'say', handler: () => word, bind: () => [], pack() {} }],
        onStartup: () => logger.info('the package is there'),
      })`,
    )
    writeFileSync(
      join(bench.folder(), 'arq-ts.yaml'),
      'task_queue:\n  worker_pool_size: 1\n  tasks:\n    - use: my-tasks\n      with: { word: hello }\n',
    )
    const client = new Client({ redis: bench.database().url, logger, queueName: 'default' })
    const job = await client.enqueue('say')
    const { code, stderr } = await bench.run(['worker', '--burst'])
    expect(stderr).toContain('the package is there')
    expect(await job!.result({ timeoutMs: 1_000 })).toBe('hello')
    expect(code).toBe(0)
    await client.close()
    expect((await bench.run(['worker', '--use', 'not-installed'])).stderr).toContain('npm install not-installed')
  })
})

describe('a failure is reported in one line, with exit 2', () => {
  test.each([
    [
      ['queue', 'ls', '--redis', 'redis://localhost:1'],
      /cannot reach Redis at redis:\/\/localhost:1\/0: nothing listens there\nStart it/,
    ],
    [['queue', 'ls', '--redis', 'redis://u:hunter2@localhost:1'], /redis:\/\/u:\*\*\*@localhost:1/],
    [['queu', 'ls'], /unknown: queu \(did you mean queue\?\);/],
    [['worker', '--max-job', '3'], /--max-job \(did you mean --max-jobs\?\)/],
    [['job', 'enqueue'], /usage: arq-ts job enqueue <function> \[args\.\.\]/],
    [['queue'], /a command is required: ls, show, history, pause/],
    [['worker'], /a worker needs tasks/],
    [['top'], /top needs a terminal; --json/],
    [['queue', 'ls', '--config', 'nowhere.yaml'], /nowhere\.yaml: cannot be read: there is no such file/],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await bench.run(args, { redis: args[0] === 'top' })
    expect(stderr).toMatch(message)
    expect(stderr).toMatch(/^arq-ts: /)
    expect(stderr).not.toContain('hunter2')
    expect(stderr).not.toMatch(/\n\s+at /)
    expect(stdout).toBe('')
    expect(code).toBe(2)
  })

  test.each([
    ['a wrong password', 'wrong-hunter2', /WRONGPASS/],
    ['no password', '', /NOAUTH/],
  ])('%s, too', async (_, password, message) => {
    const server = await RedisServer.start()
    const admin = new Redis(server.url)
    await admin.config('SET', 'requirepass', 'right')
    admin.disconnect()
    const url = new URL(server.url)
    url.password = password
    const { code, stderr } = await bench.run(['queue', 'ls', '--redis', url.href], { redis: false })
    await server.stop()
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('hunter2')
    expect(code).toBe(2)
  })
})

test('help and version', async () => {
  const help = await bench.run(['--help'], { redis: false })
  expect(help).toMatchObject({ code: 0, stderr: '' })
  for (const noun of [
    'worker',
    'health',
    'doctor',
    'queue',
    'job',
    'dead',
    'workers',
    'cron',
    'schedule',
    'top',
    'events',
    'config',
  ]) {
    expect(help.stdout).toMatch(new RegExp(`^  arq-ts ${noun}\\b`, 'm'))
  }
  expect((await bench.run(['job', 'enqueue', '--help'], { redis: false })).stdout).toContain('Examples:')
  expect((await bench.run(['--version'], { redis: false })).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  expect((await bench.run(['completion'], { redis: false })).stdout).toContain('arq-ts')
})

test('cron ls shows the next runs of live workers', async () => {
  const { cron } = await import('@arq-ts/core')
  const worker = new Worker({
    redis: bench.database().url,
    cron: [cron('cron:nightly', { hour: 2, minute: 0 }, () => {}), cron('cron:often', '*/5 * * * *', () => {})],
    timeZone: 'UTC',
    logger,
    handleSignals: false,
  })
  const started = new Promise<void>((resolve) => worker.once('started', () => resolve()))
  void worker.run()
  await started
  const { cronJobs: rows } = await bench.json<{ cronJobs: { name: string; next: string }[] }>(['cron', 'ls'])
  expect(rows.map((row) => row.name).sort()).toEqual(['cron:nightly', 'cron:often'])
  expect(rows.find((row) => row.name === 'cron:nightly')!.next).toMatch(/T02:00:00/)
  await worker.stop()
})

const script = (() => {
  try {
    return /util-linux/.test(execFileSync('script', ['--version'], { encoding: 'utf8' }))
  } catch {
    return false
  }
})()

describe.skipIf(!script)(`a question on a terminal${script ? '' : ' (left out: no util-linux script here)'}`, () => {
  test.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
    ['n', 'n\r'],
  ])('that is answered with %s changes nothing, and the command ends', async (_, keys) => {
    const client = new Client({ redis: bench.database().url, logger, queueName: 'default' })
    await client.enqueue('f', [], { jobId: 'stays' })
    const command = `${process.execPath} ${main} queue purge default --redis ${bench.database().url}`
    const terminal = spawn('script', ['-qfec', command, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh' },
    })
    let screen = ''
    terminal.stdout.on('data', (chunk: Buffer) => (screen += chunk.toString()))
    try {
      await eventually(() => screen.includes('[y/N]'), { timeoutMs: 30_000 })
      terminal.stdin.write(keys)
      expect(await new Promise((resolve) => terminal.once('exit', resolve))).toBe(0)
      expect(await client.jobs.count(['default'])).toBe(1)
    } finally {
      terminal.kill('SIGKILL')
      await client.close()
    }
  })
})

describe.skipIf(!script)(`top on a terminal${script ? '' : ' (left out: no util-linux script here)'}`, () => {
  test('draws, takes keys, acts, and leaves the terminal as it was', async () => {
    const client = new Client({ redis: bench.database().url, logger, queueName: 'default' })
    const worker = new Worker({
      redis: bench.database().url,
      queueName: 'default',
      tasks: [
        defineTask({
          name: 'hold',
          handler: (ctx) =>
            new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error))),
        }),
      ],
      logger,
      handleSignals: false,
    })
    void worker.run()
    const job = await client.enqueue('hold', [], { jobId: 'held' })
    await eventually(async () => (await job!.status()) === 'in_progress')
    const command = `stty rows 40 cols 120; ${process.execPath} ${main} top --interval 200ms --redis ${bench.database().url}`
    const terminal = spawn('script', ['-qfec', command, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh' },
    })
    let screen = ''
    terminal.stdout.on('data', (chunk: Buffer) => (screen += chunk.toString()))
    const shows = (text: RegExp) => eventually(() => text.test(screen), { timeoutMs: 60_000 })
    try {
      await shows(/held +hold +default/)
      terminal.stdin.write('p')
      await shows(/pause default with 0 jobs waiting\? y\/n/)
      terminal.stdin.write('y')
      await shows(/default is paused/)
      expect(await client.queues.paused()).toEqual(['default'])
      terminal.stdin.write('py')
      await shows(/default resumed/)
      terminal.stdin.write('\ta')
      await shows(/abort held:hold\? y\/n/)
      terminal.stdin.write('y')
      await eventually(async () => (await job!.status()) === 'complete')
      terminal.stdin.write('q')
      const code = await new Promise((resolve) => terminal.once('exit', resolve))
      expect(code).toBe(0)
      expect(screen.trimEnd().endsWith('\u001B[?1049l')).toBe(true)
    } finally {
      terminal.kill('SIGKILL')
      await worker.stop()
      await client.close()
    }
  })
})
