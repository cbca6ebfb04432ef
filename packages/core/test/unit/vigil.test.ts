import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Vigil } from '../../src/redis/vigil.ts'

let vigil: Vigil
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setImmediate', 'performance'] })
  vigil = new Vigil()
})
afterEach(() => vi.useRealTimers())

/** Waits for a reply as a call does. */
async function awaited<T>(reply: Promise<T>): Promise<T> {
  const begun = vigil.begin()
  try {
    return await reply
  } finally {
    vigil.end(begun)
  }
}

/** Whether the loop goes round instead of sleeping. */
const isAwake = () => vi.getTimerCount() > 0

/** One turn of the loop. */
const turn = () => vi.advanceTimersToNextTimer()

async function reply(afterMs: number): Promise<boolean> {
  let done: (value: string) => void
  const replied = awaited(new Promise<string>((resolve) => (done = resolve)))
  const stayedAwake = isAwake()
  if (afterMs > 0) vi.advanceTimersByTime(afterMs)
  else turn()
  done!('OK')
  expect(await replied).toBe('OK')
  turn()
  return stayedAwake
}

async function replies(count: number, afterMs: number): Promise<void> {
  for (let i = 0; i < count; i++) await reply(afterMs)
}

describe('a worker that waits for a reply', () => {
  test('is awake until it comes', async () => {
    expect(await reply(0)).toBe(true)
    expect(isAwake()).toBe(false)
  })

  test('is awake while any of several is awaited', async () => {
    let first = () => {}
    let second = () => {}
    const both = [
      awaited(new Promise<void>((resolve) => (first = resolve))),
      awaited(new Promise<void>((resolve) => (second = resolve))),
    ]
    first()
    await both[0]
    turn()
    expect(isAwake()).toBe(true)
    second()
    await both[1]
    turn()
    expect(isAwake()).toBe(false)
  })

  test('sleeps when it does not come at once', () => {
    void awaited(new Promise(() => {}))
    vi.advanceTimersByTime(1)
    expect(isAwake()).toBe(false)
  })

  test('hands on what the call is rejected with', async () => {
    await expect(awaited(Promise.reject(new Error('no')))).rejects.toThrow('no')
    turn()
    expect(isAwake()).toBe(false)
  })

  test('sleeps for a while, then for longer, where most come late, and tries again', async () => {
    await replies(8, 1)
    expect(await reply(0)).toBe(false)
    vi.advanceTimersByTime(20)
    expect(await reply(1)).toBe(true)
    await replies(7, 1)
    vi.advanceTimersByTime(20)
    expect(await reply(0)).toBe(false)
    vi.advanceTimersByTime(20)
    expect(await reply(0)).toBe(true)
  })

  test('forgets that they were late once they are not', async () => {
    await replies(8, 1)
    vi.advanceTimersByTime(20)
    await replies(8, 0)
    await replies(8, 1)
    vi.advanceTimersByTime(20)
    expect(await reply(0)).toBe(true)
  })
})
