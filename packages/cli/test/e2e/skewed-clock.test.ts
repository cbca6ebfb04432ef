import { Client, createLogger } from '@arq-ts/core'
import { beforeEach, describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()

/** Ten minutes ahead, in each process of the command. */
const env = {
  NODE_OPTIONS: `--import "data:text/javascript,const now = Date.now; Date.now = () => now() + 600_000"`,
}

describe('on a machine whose clock is ten minutes ahead', () => {
  beforeEach(async () => {
    const client = new Client({
      redis: bench.database().url,
      queueName: 'default',
      logger: createLogger({ level: 'silent' }),
    })
    await client.enqueue('later', [], { jobId: 'a', deferByMs: 300_000 })
    await client.enqueue('now', [], { jobId: 'b' })
    await client.close()
  })

  test.each([
    [['job', 'ls'], /^a .* deferred .*in (5 min|4 min \d+ s)/m],
    [['job', 'show', 'a'], /^due .*\(in (5 min|4 min \d+ s)\)$/m],
    [['queue', 'ls'], /^default .* \d+ m?s ago/m],
    [['health', '--deep'], /^✓ oldest due job of default +due \d+ m?s ago, 1 wait/m],
  ])('times are shown by the clock of Redis: %j', async (args, expected) => {
    expect((await bench.run(args, { env })).stdout).toMatch(expected)
  })

  test('the doctor says so', async () => {
    expect((await bench.run(['doctor'], { env })).stdout).toMatch(/clock/)
  })
})
