import { afterEach, describe, expect, test, vi } from 'vitest'
import { importScript } from './scripts.ts'

interface Command {
  quietly: (command: string, args: string[], options?: { timeout?: number }) => Promise<string>
}
interface Within {
  within: <T>(limitMs: number, name: string, work: Promise<T>) => Promise<T>
}

const { quietly } = await importScript<Command>('lib/command.mjs')
const { within } = await importScript<Within>('docs/within.mjs')

describe('the limit of a block of the docs', () => {
  afterEach(() => void vi.useRealTimers())

  test('ends with the block, whether it succeeds or fails', async () => {
    vi.useFakeTimers()
    await expect(within(30_000, 'the block', Promise.resolve(1))).resolves.toBe(1)
    await expect(within(30_000, 'the block', Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('names the block that exceeds it', async () => {
    vi.useFakeTimers()
    const late = expect(within(30_000, 'the block', new Promise(() => {}))).rejects.toThrow(
      'the block takes more than 30 s',
    )
    await vi.advanceTimersByTimeAsync(30_000)
    await late
  })
})

describe('the limit of a program that a check runs', () => {
  test('kills a program that hangs, and names it', async () => {
    const hangs = quietly(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 60_000)'], {
      timeout: 200,
    })
    await expect(hangs).rejects.toThrow(/setInterval.* took longer than 0\.2 s and was killed/)
  })

  test('does not wait for processes that a killed program leaves behind', async () => {
    const error = await quietly('sh', ['-c', 'sleep 600 & echo "left $!"; wait'], { timeout: 500 }).catch(
      (cause: Error) => cause,
    )
    expect(error).toMatchObject({ message: expect.stringContaining('took longer than 0.5 s and was killed') })
    const left = Number(/left (\d+)/.exec((error as Error).message.split(':\n')[1]!)?.[1])
    expect(process.kill(left, 'SIGKILL')).toBe(true)
  })

  test('leaves a program alone that ends in time', async () => {
    await expect(quietly(process.execPath, ['-e', 'console.log("done")'], { timeout: 60_000 })).resolves.toBe('done\n')
  })
})
