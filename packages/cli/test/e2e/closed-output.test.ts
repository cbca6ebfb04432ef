import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { Client, createLogger } from '@arq-ts/core'
import { eventually } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import { fixtures, main, useCommand } from '../support/command.ts'

const bench = useCommand()
const logger = createLogger({ level: 'silent' })

/** Runs the command with outputs that are pipes without a reader (`closed`), or files; gives what the open ones said. */
async function run(args: readonly string[], outputs: { stdout?: 'closed' | number; stderr?: 'closed' }) {
  const child = spawn(process.execPath, [main, ...args, '--redis', bench.database().url], {
    cwd: bench.folder(),
    stdio: ['ignore', typeof outputs.stdout === 'number' ? outputs.stdout : 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    if (outputs[name] === 'closed') child[name]?.destroy()
    else child[name]?.on('data', (chunk: Buffer) => (said[name] += chunk.toString()))
  }
  const code = await new Promise((resolve) => child.once('close', resolve))
  return { code, ...said }
}

/** A queue that nobody serves: the command lists it, and remarks on it. */
async function fill(): Promise<void> {
  const client = new Client({ redis: bench.database().url, logger })
  await client.enqueue('nobody', [], { queueName: 'lonely' })
  await client.close()
}

test('a command whose remarks nobody reads gives its answer', async () => {
  await fill()
  const heard = await run(['queue', 'ls'], {})
  expect(heard).toMatchObject({ code: 0, stderr: expect.stringContaining('nothing listens to lonely') })
  const unheard = await run(['queue', 'ls'], { stderr: 'closed' })
  expect(unheard).toEqual({ code: 0, stdout: expect.stringMatching(/^lonely/m), stderr: '' })
})

test('a command whose answer nobody reads ends without a word', async () => {
  await fill()
  expect(await run(['queue', 'ls', '--json'], { stdout: 'closed' })).toEqual({ code: 0, stdout: '', stderr: '' })
})

test.skipIf(!existsSync('/dev/full'))('a command whose answer does not fit on the disk says so in a line', async () => {
  const full = openSync('/dev/full', 'w')
  const { code, stderr } = await run(['queue', 'ls', '--json'], { stdout: full })
  closeSync(full)
  expect(stderr).toMatch(/^arq-ts: cannot write to standard output: ENOSPC[^\n]*\n$/)
  expect(code).toBe(2)
})

test('a pool whose log nobody reads any more replaces a process that ends, and works on', async () => {
  const client = new Client({ redis: bench.database().url, logger, queueName: 'default' })
  const pool = bench.start(['worker', join(fixtures, 'tasks.ts'), '--queue', 'default', '--workers', '1'])
  await eventually(async () => (await client.workers.list()).length === 1)
  const [first] = await client.workers.list()
  pool.process.stdout!.destroy()
  pool.process.stderr!.destroy()
  process.kill(first!.pid, 'SIGKILL')
  const job = await client.enqueue('where')
  const pid = await job!.result({ timeoutMs: 30_000 })
  expect(pid).not.toBe(first!.pid)
  expect(pool.hasEnded).toBe(false)
  await client.close()
})
