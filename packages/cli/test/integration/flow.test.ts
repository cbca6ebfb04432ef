import { Client, createLogger, defineTask, flow, Worker } from '@arq-ts/core'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runHere } from '../support/command.ts'

let database: Database
let client: Client
let worker: Worker

const echo = defineTask({ name: 'echo', handler: (_ctx, value: unknown) => value })
const fail = defineTask({ name: 'fail', handler: () => Promise.reject(new Error('no luck')) })

beforeAll(async () => {
  database = await takeDatabase()
  const logger = createLogger({ level: 'silent' })
  client = new Client({ redis: database.url, logger })
  worker = new Worker({ redis: database.url, tasks: [echo, fail], logger, handleSignals: false })
})
afterAll(async () => {
  await client.close()
  await database.release()
})

const run = (...args: string[]) => runHere([...args, '--redis', database.url])

/** The drawing, without the fields above it and the ages in them. */
async function drawn(flowId: string): Promise<string[]> {
  const { stdout } = await run('flow', 'show', flowId)
  return stdout
    .trimEnd()
    .split('\n')
    .slice(stdout.split('\n').indexOf('') + 1)
}

test('flows are listed, drawn, explained, cancelled and replayed', async () => {
  expect(await run('flow', 'ls')).toMatchObject({ code: 0, stderr: 'there are no flows\n' })
  const f = flow('report')
  const parts = f.all(Array.from({ length: 8 }, (_, i) => f.call(echo, [i])))
  const merged = f.call(echo, [parts], { name: 'merge' })
  f.call(echo, [merged], { name: 'mail' })
  f.call(fail, [], { after: merged, name: 'break' })
  f.call(echo, [0], { after: merged, on: 'failure', name: 'alert' })
  await client.start(f, { flowId: 'r1' })

  const { stdout } = await run('flow', 'ls', '--json')
  expect(JSON.parse(stdout)).toMatchObject({
    flows: [{ flowId: 'r1', name: 'report', state: 'running', members: 12, open: 12 }],
  })
  const held = 'held       waits for'
  expect(await drawn('r1')).toEqual([
    '• echo × 7     queued',
    '• echo#8       queued',
    `· └─ merge     ${held} echo, echo#2, echo#3 and 5 more`,
    `·    ├─ mail   ${held} merge`,
    `·    ├─ break  ${held} merge`,
    '·    └─ alert  held       on failure; waits for merge',
  ])

  const explained = await run('job', 'explain', 'r1-9')
  expect(explained.stdout).toContain('it is in the flow "report r1": it waits for "merge"')
  expect((await run('job', 'show', 'r1-9')).stdout).toContain('waits for  the flow report r1: merge, since')

  expect(await run('flow', 'replay', 'r1', '--yes')).toMatchObject({ code: 1 })
  expect(await run('flow', 'cancel', 'r1', '--dry-run')).toMatchObject({ code: 0 })
  expect(await run('flow', 'cancel', 'r1', '--yes')).toMatchObject({ code: 0, stdout: "flow 'report' is cancelled\n" })
  expect(await run('flow', 'cancel', 'r1', '--yes')).toMatchObject({ code: 1 })
  expect((await drawn('r1')).at(-1)).toBe('–    └─ alert  cancelled  on failure')

  const running = worker.run()
  expect(await run('flow', 'replay', 'r1', '--failed', '--yes')).toMatchObject({ code: 0 })
  const watched = await run('flow', 'show', 'r1', '--watch', '--json')
  expect(watched.code).toBe(1)
  const last = JSON.parse(watched.stdout.trimEnd().split('\n').at(-1)!) as {
    state: string
    members: { state: string }[]
  }
  expect(last.state).toBe('failed')
  expect(last.members.slice(8).map(({ state }) => state)).toEqual(['success', 'success', 'failure', 'skipped'])
  expect((await drawn('r1')).find((line) => line.includes('break'))).toContain('failure    RuntimeError: no luck')
  expect(await run('flow', 'show', 'nothing')).toMatchObject({ code: 1 })
  await worker.stop()
  await running
})

test('flow ls says that it does not list all, and passes over flows that are gone', async () => {
  const { redis } = database
  // Flows of one millisecond stand in the order of their ids.
  for (const flowId of ['f1', 'f2', 'f3', 'f4']) {
    const f = flow(flowId)
    f.call(echo, [1])
    await client.start(f, { flowId })
  }
  await redis.del('arq:flow:f3')
  const list = async (limit: string) =>
    JSON.parse((await run('flow', 'ls', '--json', '--limit', limit)).stdout) as {
      flows: { flowId: string }[]
      complete: boolean
      incomplete: string[]
    }
  const { complete, flows, incomplete } = await list('2')
  expect(flows.map(({ flowId }) => flowId)).toEqual(['f4', 'f2'])
  expect([complete, incomplete]).toEqual([false, ['the newest 2; --limit shows more']])
  expect(await redis.zscore('arq:flows', 'f3')).toBeNull()
  expect(await list('100')).toMatchObject({ complete: true, incomplete: [] })
  const dry = await run('flow', 'cancel', 'f1', '--dry-run', '--json')
  expect(JSON.parse(dry.stdout)).toMatchObject({ flowId: 'f1', state: 'running', dryRun: true })
})
