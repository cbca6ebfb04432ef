import { fileURLToPath } from 'node:url'
import { Child, eventually, takeDatabase } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import { Client, createLogger } from '../../src/index.ts'

const script = fileURLToPath(new URL('fixtures/sandbox-worker.mjs', import.meta.url))

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('a process that computes for ever ends when its worker is killed', async () => {
  const database = await takeDatabase()
  const client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
  const worker = new Child(process.execPath, [script, database.url])
  try {
    await worker.line(/^ready/)
    const where = await client.enqueue('act', [], { kwargs: { act: 'where' } } as never)
    const pid = Number(String(await where!.result({ timeoutMs: 30_000 })).split('/')[0])
    expect(pid).not.toBe(worker.pid)
    const loop = await client.enqueue('act', [], { kwargs: { act: 'loop' } } as never)
    await eventually(async () => (await loop!.status()) === 'in_progress')
    expect(isAlive(pid)).toBe(true)
    worker.kill('SIGKILL')
    await worker.exited
    await eventually(() => !isAlive(pid), { timeoutMs: 60_000 })
  } finally {
    worker.kill('SIGKILL')
    await client.close()
    await database.release()
  }
})
