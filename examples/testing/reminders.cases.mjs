// The tests, for any runner: each of vitest, jest and node:test brings its own `test` and `expect`.
import { createInlineQueue, createTestQueue, runTask } from '@arq-ts/testkit'
import { digest, remind, signUp } from './reminders.mjs'

const DAY_MS = 86_400_000

/** A mail service that fails on request, and keeps what it sent. */
function fakeMail(failures = 0) {
  const sent = []
  const send = async (to, what) => {
    if (failures-- > 0) throw new Error('the mail server is down')
    sent.push(`${to} ${what}`)
    return sent.length
  }
  return { mail: { send }, sent }
}

export function cases({ test, equal }) {
  test('a reminder is sent by mail, or as asked for', async () => {
    const { mail, sent } = fakeMail()
    await runTask(remind, { user: 'ann' }, { ctx: { mail } })
    await runTask(remind, { user: 'bob', channel: 'sms' }, { ctx: { mail } })
    equal(sent, ['ann mail', 'bob sms'])
  })

  test('a sign-up leads to a reminder', async () => {
    const { mail, sent } = fakeMail()
    const queue = createInlineQueue({ tasks: [remind], ctx: { mail } })
    await signUp(queue.client, 'ann')
    queue.expectEnqueued(remind, { user: 'ann' }, { count: 1 })
    equal(sent, ['ann mail'])
  })

  test('a reminder comes a day later, and again while the mail server is down', async () => {
    const { mail, sent } = fakeMail(2)
    const queue = await createTestQueue({ tasks: [remind], worker: { ctx: { mail } } })
    await signUp(queue.client, 'ann')
    await queue.expectEnqueued(remind, { user: 'ann' }, { dueInMs: DAY_MS })
    await queue.advance(DAY_MS)
    equal(sent, [])
    const { ended } = await queue.advance(2 * 60_000)
    equal([sent, ended.map(({ outcome, tries }) => [outcome, tries])], [['ann mail'], [['complete', 3]]])
    await queue.close()
  })

  test('the digest is sent at eight, on both sides of a change of the clock', async () => {
    const { mail, sent } = fakeMail()
    const start = new Date('2026-03-28T00:00:00Z')
    const queue = await createTestQueue({ cron: [digest], now: start, worker: { ctx: { mail } } })
    await queue.advance(2 * DAY_MS)
    equal(sent, ['all digest', 'all digest'])
    equal(
      queue.ended.map(({ atMs }) => new Date(atMs).getUTCHours()),
      [7, 6],
    )
    await queue.close()
  })
}
