import { Client, createLogger, flow } from '@arq-ts/core'
import { Keys } from '@arq-ts/protocol/jobs'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultyValues } from '../../../../core/test/support/faulty-keys.ts'
import { runHere } from '../../support/command.ts'

const KINDS = ['flow', 'flowOpen', 'flowOut', 'flowTodo', 'flowCalls', 'flowResults'] as const
const HEALTHY = 'healthy'

let database: Database
let client: Client

beforeAll(async () => {
  database = await takeDatabase()
  client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
})
afterAll(async () => {
  await client.close()
  await database.release()
})

async function start(flowId: string): Promise<void> {
  const f = flow(`name of ${flowId}`, { onUnknown: 'fail' })
  f.call('echo', [f.call('echo', [1], { delayMs: 3_600_000 })])
  await client.start(f, { flowId })
}

/** Everything that Redis has of a flow. */
async function stateOf(flowId: string): Promise<unknown[]> {
  const keys = new Keys()
  const own = [...KINDS.map((kind) => keys[kind](flowId)), keys.job(`${flowId}-0`)]
  return Promise.all(own.map(async (key) => (await database.redis.dumpBuffer(key))?.toString('base64')))
}

/** Faults of an answer of the command, a line each. */
async function faultsOf(words: readonly string[], about: string): Promise<string[]> {
  const { code, stderr, stdout } = await runHere([...words, '--redis', database.url])
  const text = stdout + stderr
  const found: string[] = []
  if (![0, 1, 2].includes(code)) found.push(`exit code ${code}`)
  if (/^\s+at .*:\d+:\d+/m.test(text)) found.push('a raw stack trace')
  if (/\bundefined\b|\[object |\bNaN\b/.test(text)) found.push("a value of JavaScript's")
  if (/WRONGTYPE/.test(text) && !text.includes('arq:flow')) found.push('a refusal without the name of the key')
  if (words[1] === 'ls' && !text.includes(`name of ${HEALTHY}`)) found.push('the healthy flow is not shown')
  return found.map((what) => `${words.join(' ')} [${about}]: ${what}: ${text.slice(0, 400)}`)
}

describe('a fault at any key of a flow leaves every verb at work, and the other flows alone', () => {
  test.each(Object.entries(faultyValues))('%s', async (value, plant) => {
    await database.redis.flushdb()
    await start(HEALTHY)
    const before = await stateOf(HEALTHY)
    const keys = new Keys()
    const wrong: string[] = []
    for (const [i, kind] of KINDS.entries()) {
      const flowId = `damaged-${kind}`
      await start(flowId)
      await plant(database.redis, keys[kind](flowId), {
        queueName: 'arq:queue',
        jobId: `${flowId}-0`,
        cronName: 'c',
        workerId: 'w',
      })
      const json = i % 2 === 0 ? ['--json'] : []
      const verbs = [['ls'], ['show', flowId], ['cancel', flowId, '--yes'], ['replay', flowId, '--yes'], ['ls']]
      for (const verb of verbs) wrong.push(...(await faultsOf(['flow', ...verb, ...json], `${value} at ${kind}`)))
    }
    expect(wrong.join('\n')).toBe('')
    expect(await stateOf(HEALTHY)).toEqual(before)
  })
})
