import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '../../src/index.ts'
import { RedisContext } from '../../src/redis/context.ts'

let database: Database
let link: RedisContext
let lines: string[]
beforeEach(async () => {
  database = await takeDatabase()
  lines = []
  const log = createLogger({ level: 'debug', destination: { write: (line: string) => void lines.push(line) } } as never)
  link = new RedisContext({ redis: database.url, keyPrefix: '', expiresExtraMs: 86_400_000, log, timeoutMs: 10_000 })
  await link.syncClock()
})
afterEach(async () => {
  await link.close()
  await database.release()
})

/** Puts replies out of step: one more comes than commands wait for. */
function disturb(command: string): void {
  const { stream } = link.connection.client as unknown as { stream: { write: (text: string) => void } }
  stream.write(`${command}\r\n`)
}

const call = (jobId: string) => ({
  jobId,
  queueName: 'q',
  due: { in: 0 },
  expiresMs: undefined,
  payload: Buffer.from(jobId),
})

test.each(['PING', 'GET nothing', 'DBSIZE', 'LRANGE nothing 0 1', 'CONFIG GET maxmemory'])(
  'a reply to %s in its place ends the connection, and each call is sent again and gets its own',
  async (command) => {
    await link.broker.enqueue([call('taken')])
    disturb(command)
    const answers = await Promise.all([
      link.broker.enqueue([call('a')]),
      link.broker.enqueue([{ ...call('taken'), payload: Buffer.from('another') }]),
      link.broker.enqueue([call('b'), call('c')]),
      link.broker.requestAbort('nowhere', 'q'),
    ])
    expect(answers).toEqual([[true], [false], [true, true], false])
    expect(lines.filter((line) => line.includes('lost, reconnecting: replies are out of step'))).toHaveLength(1)
    expect((await database.redis.zrange('q', '0', '-1')).sort()).toEqual(['a', 'b', 'c', 'taken'])
  },
)
