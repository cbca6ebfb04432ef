import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Client, createLogger } from '@arq-ts/core'
import { eventually, freePort } from '@arq-ts/test-support'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()
const core = join(dirname(createRequire(import.meta.url).resolve('@arq-ts/core/package.json')), 'dist/index.js')
let client: Client

beforeEach(() => {
  client = new Client({ redis: bench.database().url, logger: createLogger({ level: 'silent' }), queueName: 'default' })
  writeFileSync(
    join(bench.folder(), 'tasks.ts'),
    `import { defineTask } from '${core}'
     const sandbox = (kind: 'process' | 'thread') => ({ module: new URL('./sandboxed.ts', import.meta.url), kind, max: 1 })
     export const inProcess = defineTask({ name: 'process', sandbox: sandbox('process') })
     export const inThread = defineTask({ name: 'thread', sandbox: sandbox('thread') })`,
  )
})
afterEach(() => client.close())

test('a sandbox whose module cannot be loaded ends the worker at its start, with exit 2, path and cause', async () => {
  writeFileSync(join(bench.folder(), 'sandboxed.ts'), 'throw new Error("out of order")')
  const { code, stderr } = await bench.run(['worker', 'tasks.ts', '--workers', '1'])
  expect(stderr).toMatch(
    /the sandbox of '\w+' cannot start: its module .*sandboxed\.ts.* fails to load in a \w+: Error: out of order/,
  )
  expect(code).toBe(2)
})

test('sandboxes read TypeScript as their worker does, and are in its metrics', async () => {
  const module = 'type N = number; enum By { one = 1 }; export default (_ctx: object, n: N): N => n + By.one'
  writeFileSync(join(bench.folder(), 'sandboxed.ts'), module)
  const port = await freePort()
  const args = ['--queue', 'default', '--workers', '1', '--metrics-port', String(port)]
  bench.start(['worker', join(bench.folder(), 'tasks.ts'), ...args])
  for (const name of ['process', 'thread']) {
    const job = await client.enqueue(name, [1])
    expect(await job!.result({ timeoutMs: 60_000 })).toBe(2)
  }
  await eventually(async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    for (const name of ['process', 'thread'])
      for (const [metric, value] of [
        ['size', 1],
        ['busy', 0],
        ['waiting', 0],
        ['recycled_total', 0],
        ['died_total', 0],
      ])
        expect(text).toContain(`arq_sandbox_${metric}{function="${name}"} ${value}\n`)
    return true
  })
})
