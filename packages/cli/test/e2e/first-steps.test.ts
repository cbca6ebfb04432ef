import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Client, createLogger } from '@arq-ts/core'
import { decodeJob } from '@arq-ts/protocol'
import { eventually } from '@arq-ts/test-support'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()
const logger = createLogger({ level: 'silent' })
const core = dirname(createRequire(import.meta.url).resolve('@arq-ts/core/package.json'))
let client: Client

beforeEach(() => {
  client = new Client({ redis: bench.database().url, logger, queueName: 'default' })
  mkdirSync(join(bench.folder(), 'node_modules', '@arq-ts'), { recursive: true })
  symlinkSync(core, join(bench.folder(), 'node_modules', '@arq-ts', 'core'))
})
afterEach(() => client.close())

const ESM = `import { defineTask } from '@arq-ts/core'
export const echo = defineTask({ name: 'echo', handler: (_ctx, value) => value })\n`
const CJS = `const { defineTask } = require('@arq-ts/core')
exports.echo = defineTask({ name: 'echo', handler: (_ctx, value) => value })\n`

describe('a module that exports tasks alone', () => {
  test.each([
    ['tasks.ts', ESM.replace('value)', 'value: unknown)'), '{}'],
    ['tasks.ts', ESM.replace('value)', 'value: unknown)'), '{"type":"module"}'],
    ['tasks.mts', ESM.replace('value)', 'value: unknown)'), '{}'],
    ['tasks.mjs', ESM, '{}'],
    ['tasks.cjs', CJS, '{}'],
    ['tasks.js', CJS, '{}'],
  ])('%s is served where `job enqueue` puts jobs (%#)', async (file, source, manifest) => {
    writeFileSync(join(bench.folder(), 'package.json'), manifest)
    writeFileSync(join(bench.folder(), file), source)
    bench.start(['worker', `./${file}`, '--workers', '1'])
    const ran = await bench.run(['job', 'enqueue', 'echo', '5', '--wait', '--timeout', '20s'])
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('5') as string })
    const [worker] = await client.workers.list()
    expect(worker).toMatchObject({ queues: ['default'], maxJobs: 10 })
  })

  test('is run by the configuration: an error is retried, as the guide says', async () => {
    writeFileSync(
      join(bench.folder(), 'tasks.mjs'),
      `import { defineTask } from '@arq-ts/core'
       export const bad = defineTask({ name: 'bad', handler: () => { throw new Error('no') } })`,
    )
    bench.start(['worker', './tasks.mjs', '--workers', '1'])
    const job = await client.enqueue('bad')
    await eventually(async () => (await client.workers.list())[0]?.counters.retried === 1)
    expect(await job!.status()).toBe('deferred')
  })
})

describe('the arguments of `job enqueue`', () => {
  const enqueued = async (...args: string[]) => {
    const { stdout } = await bench.run(['job', 'enqueue', 'f', '--codec', 'pickle', ...args])
    const payload = await bench.database().redis.getBuffer(`arq:job:${stdout.trim()}`)
    const { args: positional, kwargs } = decodeJob(payload!).record
    return { positional: [...positional], kwargs }
  }

  test('keep every digit', async () => {
    expect(await enqueued('12345678901234567890', 'id={"of": 9007199254740993}', '1.5', '-7')).toEqual({
      positional: [12_345_678_901_234_567_890n, 1.5, -7],
      kwargs: { id: { of: 9_007_199_254_740_993n } },
    })
  })

  test('may look like flags behind `--`', async () => {
    const { stdout } = await bench.run(['job', 'enqueue', 'f', 'a'])
    expect(stdout).not.toBe('')
    const main = await bench.run(['job', 'enqueue', 'f', 'a', '--', '-5', '--foo'])
    const payload = await bench.database().redis.getBuffer(`arq:job:${main.stdout.trim()}`)
    expect(decodeJob(payload!).record.args).toEqual(['a', -5, '--foo'])
  })

  test('are for a function that has a name', async () => {
    expect(await bench.run(['job', 'enqueue', ''])).toMatchObject({
      code: 2,
      stderr: 'arq-ts: expected the name of a function, got an empty string\n',
    })
  })
})

test('warns a producer that enqueues to a queue that nobody serves', async () => {
  const { code, stderr } = await bench.run(['job', 'enqueue', 'f', '--queue', 'nobodys'])
  expect(code).toBe(0)
  expect(stderr).toContain('no live worker serves nobodys')
})

describe('a misspelled word', () => {
  test.each([
    [['queue', 'ls', 'extra'], 'unknown: extra; '],
    [['foo'], 'unknown: foo; '],
    [['quue', 'ls'], 'unknown: quue (did you mean queue?)'],
    [['queue', 'ls', '--scna'], 'unknown: --scna'],
    [['job', 'enqueue', 'f', '--timeout', '1s'], 'timeout -> wait'],
    [['worker', './tasks.mjs', '--watch', 'nowhere'], 'there is no nowhere'],
  ])('is reported as it was written: %j', async (args, message) => {
    writeFileSync(join(bench.folder(), 'tasks.mjs'), ESM)
    expect(await bench.run(args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) as string })
  })
})

describe('a failure', () => {
  test('is reported as JSON where JSON was asked for', async () => {
    const { code, stdout } = await bench.run(['job', 'show', 'nowhere', '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: 'ARQ_TS_COMMAND' } })
  })

  test.each([
    [['doctor', '--limit', 'abc'], 'NaN'],
    [['job', 'ls', '--limit', '0'], '0'],
    [['events', '--count', '-1'], '-1'],
  ])('with a number, in %j, is refused', async (args, got) => {
    expect(await bench.run(args)).toMatchObject({
      code: 2,
      stderr: `arq-ts: expected a whole number from 1, got '${got}'\n`,
    })
  })

  test('with the port of the metrics ends the command', async () => {
    writeFileSync(join(bench.folder(), 'tasks.mjs'), ESM)
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, resolve))
    const { port } = taken.address() as AddressInfo
    const ran = await bench.run(['worker', './tasks.mjs', '--metrics-port', String(port)])
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('it is in use') as string })
    await new Promise((resolve) => taken.close(resolve))
  })
})

test('a process that hears nothing is killed when its time to stop is over', async () => {
  writeFileSync(
    join(bench.folder(), 'tasks.mjs'),
    `import { defineTask } from '@arq-ts/core'
     export default { abortGraceMs: 0, jobCompletionWaitMs: 0, tasks: [defineTask({ name: 'deaf', handler: () => { for (;;); } })] }`,
  )
  const pool = bench.start(['worker', './tasks.mjs', '--workers', '1', '--queue', 'default'])
  await eventually(async () => (await client.workers.list()).length === 1)
  const job = await client.enqueue('deaf')
  await eventually(async () => (await job!.status()) === 'in_progress')
  pool.kill('SIGTERM')
  await pool.exited
  expect(await job!.status()).toBe('in_progress') // until its lease ends
})
