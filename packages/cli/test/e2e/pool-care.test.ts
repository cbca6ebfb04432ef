import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Client, createLogger } from '@arq-ts/core'
import { eventually, freePort } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()
const core = dirname(createRequire(import.meta.url).resolve('@arq-ts/core/package.json'))

function writeModule(source: string): void {
  writeFileSync(
    join(bench.folder(), 'own.mjs'),
    `import { defineTask } from '${core}/dist/index.js'
     ${source}`,
  )
}

const get = (port: number, path: string) => fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined)

describe('a settings module that says which queues, and where', () => {
  const flags = ['worker', 'own.mjs', '--workers', '1', '--log-format', 'json']

  function writeOwn(): void {
    writeModule(`setInterval(() => {}, 1_000) // as a pool of connections would be
      export default { redis: '${bench.database().url}', queueName: 'own',
        tasks: [defineTask({ name: 'f', handler: () => 1 })] }`)
  }

  test('is looked at there by the metrics', async () => {
    writeOwn()
    const port = await freePort()
    bench.start([...flags, '--metrics-port', String(port)], {}, { redis: false })
    await eventually(async () => (await get(port, '/readyz'))?.status === 200)
    await eventually(async () => {
      const text = await (await get(port, '/metrics'))?.text()
      return text?.includes('arq_queue_workers{queue="own"} 1') === true
    })
    const text = await (await get(port, '/metrics'))!.text()
    expect(text).toContain('arq_redis_up 1')
    expect(text).not.toContain('queue="default"')
  })

  test('is looked at there by --check, which does not wait for what the module has opened', async () => {
    writeOwn()
    const before = await bench.run([...flags, '--check'], { redis: false })
    expect(before).toMatchObject({ code: 1, stdout: expect.stringContaining('✗ worker of own') as string })
    const pool = bench.start(flags, {}, { redis: false })
    const client = new Client({ redis: bench.database().url, logger: createLogger({ level: 'silent' }) })
    await eventually(async () => (await client.workers.health('own')) !== null)
    await client.close()
    expect(await bench.run([...flags, '--check'], { redis: false })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('✓ worker of own') as string,
    })
    pool.kill('SIGTERM')
    await pool.exited
  })

  test('is reported with that address if nobody answers there', async () => {
    writeModule(`export default { redis: 'redis://u:hunter2@localhost:1/3', queueName: 'own',
      tasks: [defineTask({ name: 'f', handler: () => 1 })] }`)
    const { code, stderr } = await bench.run([...flags, '--check'], { redis: false })
    expect(stderr).toContain('cannot reach Redis at redis://u:***@localhost:1/3: nothing listens there')
    expect(code).toBe(2)
  })
})

describe('a process that a handler keeps from hearing anything', () => {
  test('is not ready, is replaced, and its job runs again', async () => {
    writeFileSync(join(bench.folder(), 'arq-ts.yaml'), 'task_queue:\n  lease: 1\n')
    writeModule(`export const deaf = defineTask({ name: 'deaf', handler: ({ jobTry }) => {
      while (jobTry === 1);
      return jobTry
    } })`)
    const port = await freePort()
    const pool = bench.start(['worker', 'own.mjs', '--workers', '1', '--metrics-port', String(port)])
    await eventually(async () => (await get(port, '/readyz'))?.status === 200)
    const client = new Client({
      redis: bench.database().url,
      queueName: 'default',
      logger: createLogger({ level: 'silent' }),
    })
    const job = await client.enqueue('deaf')
    await eventually(async () => (await get(port, '/readyz'))?.status === 503, { timeoutMs: 20_000 })
    await pool.line(/ended with SIGKILL, for it had heard nothing for 10 s; again in 500 ms/, { timeoutMs: 30_000 })
    expect(await job!.result({ timeoutMs: 20_000 })).toBe(2)
    await client.close()
  })
})
