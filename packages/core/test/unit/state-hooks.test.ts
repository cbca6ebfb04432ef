import { expect, test } from 'vitest'
import { createLogger } from '../../src/logging/logger.ts'
import { InterruptibleWait, within } from '../../src/time/interruptible-wait.ts'
import { StateHooks } from '../../src/worker/state-hooks.ts'

const log = createLogger({ level: 'silent' })
const withAnswerLimit = () => Promise.resolve()

function hooks(onStartup: () => unknown) {
  const seen: string[] = []
  const onShutdown = () => void seen.push('onShutdown')
  return { seen, hooks: new StateHooks({ state: {}, onStartup, onShutdown, log }) }
}

test('onShutdown ends what onStartup began, once that has ended, however late', async () => {
  let release = () => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  const { seen, hooks: slow } = hooks(() => gate)
  const begun = slow.begin()
  await slow.end(withAnswerLimit)
  expect(seen).toEqual([])
  release()
  await begun
  await Promise.resolve()
  expect(seen).toEqual(['onShutdown'])
})

test('onShutdown does not come where onStartup failed or never began', async () => {
  const failing = hooks(() => Promise.reject(new Error('no database')))
  await expect(failing.hooks.begin()).rejects.toThrow('no database')
  await failing.hooks.end(withAnswerLimit)
  const idle = hooks(() => null)
  await idle.hooks.end(withAnswerLimit)
  expect([...failing.seen, ...idle.seen]).toEqual([])
})

test('end rejects with what onShutdown throws', async () => {
  const throwing = new StateHooks({
    state: {},
    onStartup: undefined,
    onShutdown: () => Promise.reject(new Error('cannot close')),
    log,
  })
  await throwing.begin()
  await expect(throwing.end(withAnswerLimit)).rejects.toThrow('cannot close')
})

test('wait ends at its bound, and at once when hurried, before or during a wait', async () => {
  const never = new Promise(() => {})
  expect(await within(never, 1)).toBe(false)
  expect(await within(Promise.resolve(), 60_000)).toBe(true)
  const wait = new InterruptibleWait()
  const waiting = wait.wait(never, 60_000)
  wait.hurry()
  await waiting
  await wait.wait(never, 60_000)
})
