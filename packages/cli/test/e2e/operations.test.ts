import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const page = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8')

/** Every command of a console block, in the page's order. */
const commands = [...page.matchAll(/^```console\n([^]*?)^```/gm)]
  .flatMap(([, block]) => block!.split('\n'))
  .filter((line) => line.startsWith('$ arq-ts '))
  .map((line) => line.slice('$ arq-ts '.length))

const bench = useCommand()

describe('the operations page', () => {
  let worker: Worker
  let client: Client

  beforeEach(async () => {
    const logger = createLogger({ level: 'silent' })
    const redis = bench.database().url
    client = new Client({ redis, logger, queueName: 'default' })
    const tasks = [
      defineTask({
        name: 'send_mail',
        handler: (ctx) => (ctx.kwargs.to === 'bad' ? Promise.reject(new Error('connection refused')) : 'sent'),
      }),
    ]
    worker = new Worker({ redis, logger, queueName: 'default', tasks, handleSignals: false })
    const died = new Promise<void>((resolve) => worker.once('deadLettered', () => resolve()))
    void worker.run()
    await client.enqueue('send_mail', [], { jobId: 'mail-bad', kwargs: { to: 'bad' } })
    await died
    writeFileSync(join(bench.folder(), 'arq-ts.yaml'), 'task_queue:\n  max_jobs: 10\n')
  })
  afterEach(async () => {
    await worker.stop()
    await client.close()
  })

  test('has commands to run', () => expect(commands.length).toBeGreaterThan(20))

  test('shows no command that fails', async () => {
    const failed: string[] = []
    for (const command of commands) {
      const { code, stderr } = await bench.run(command.split(' '))
      if (code !== 0) failed.push(`${command}: exit ${code}: ${stderr}`)
    }
    expect(failed).toEqual([])
    expect(await client.job('mail-1', { queueName: 'default' }).result({ timeoutMs: 5_000 })).toBe('sent')
  })

  test('names only flags and verbs that there are', async () => {
    const shown = new Map<string, Set<string>>()
    for (const [, noun, verb] of page.matchAll(/arq-ts ([a-z]+)(?: ([a-z]+))?/g)) {
      const verbs = shown.get(noun!) ?? new Set()
      shown.set(noun!, verb === undefined ? verbs : verbs.add(verb))
    }
    const help = (await bench.run(['--help'], { redis: false })).stdout
    for (const [noun, verbs] of shown) {
      if (noun === 'workers' || !help.includes(`arq-ts ${noun}`)) continue
      const nounHelp = (await bench.run([noun, '--help'], { redis: false })).stdout
      const there = [...nounHelp.matchAll(/^ {2}arq-ts \w+ (\w+)/gm)].map(([, name]) => name)
      if (there.length > 0) expect([noun, there]).toEqual([noun, expect.arrayContaining([...verbs])])
    }
  })
})
