import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Client, createLogger } from '@arq-ts/core'
import { expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()

/** Each of them throws where nobody catches it. */
const handlers = `{
  floating: () => void Promise.reject(new Error('floating')),
  timer: () => new Promise((resolve) => setTimeout(() => { resolve(); throw new Error('timer') }, 0)),
  listener: (ctx) => new Promise((_, reject) => {
    ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))
    ctx.signal.addEventListener('abort', () => { throw new Error('listener') })
  }),
  unreadable: () => new Promise((resolve) => setTimeout(() => { resolve(); throw Object.create(null) }, 0)),
  none: (ctx) => process.pid,
}`

test('a worker process outlives what nobody catches, and logs it', async () => {
  const core = dirname(createRequire(import.meta.url).resolve('@arq-ts/core/package.json'))
  writeFileSync(
    join(bench.folder(), 'settings.mjs'),
    `import { defineTask } from '${core}/dist/index.js'
     const tasks = Object.entries(${handlers}).map(([name, handler]) => defineTask({ name, handler, timeoutMs: 300 }))
     export default { tasks, queueName: 'stray' }`,
  )
  const pool = bench.start(['worker', 'settings.mjs', '--workers', '1', '--log-format', 'json'])
  const client = new Client({
    redis: bench.database().url,
    queueName: 'stray',
    logger: createLogger({ level: 'silent' }),
  })
  const pid = await (await client.enqueue('none'))?.result({ timeoutMs: 20_000 })
  for (const name of ['floating', 'timer', 'listener', 'unreadable']) {
    await (await client.enqueue(name))?.result({ timeoutMs: 10_000 }).catch(() => {})
    await pool.line(
      name === 'unreadable'
        ? /continues: Error: an object that is no Error was thrown/
        : new RegExp(`continues: Error: ${name}`),
    )
  }
  expect(await (await client.enqueue('none'))?.result({ timeoutMs: 10_000 })).toBe(pid)
  await client.close()
})
