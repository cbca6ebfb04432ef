import type { Schedule } from '@arq-ts/core'
import { expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()

test('schedules are put, listed, shown, paused, run and removed', async () => {
  const words = ['send_digest', 'user=42', '--cron', '0 8 * * *', '--time-zone', 'Europe/Berlin', '--missed', 'latest']
  const put = await bench.json<Schedule>(['schedule', 'put', 'digest:42', ...words, '--codec', 'pickle'])
  expect(put).toMatchObject({ name: 'digest:42', functionName: 'send_digest', kwargs: { user: 42 }, codec: 'pickle' })
  await bench.run(['schedule', 'put', 'poll', 'poll_feed', '--every', '5m', '--overlap', 'skip'])

  const { schedules } = await bench.json<{ schedules: Schedule[] }>(['schedule', 'ls'])
  expect(schedules.map(({ name, everyMs }) => [name, everyMs])).toEqual([
    ['digest:42', null],
    ['poll', 300_000],
  ])
  const table = (await bench.run(['schedule', 'ls'])).stdout
  expect(table).toMatch(/^digest:42 +0 8 \* \* \* Europe\/Berlin +in .+ +send_digest/m)
  expect(table).toMatch(/^poll +every 5 min/m)

  expect((await bench.run(['schedule', 'pause', 'poll'])).stdout).toMatch(/^next +paused$/m)
  expect(await bench.json(['schedule', 'show', 'poll'])).toMatchObject({ paused: true, next: null })
  expect(await bench.json(['schedule', 'resume', 'poll'])).toMatchObject({ paused: false })
  const { jobId } = await bench.json<{ jobId: string }>(['schedule', 'run', 'digest:42'])
  expect((await bench.run(['job', 'show', jobId])).stdout).toMatch(/^schedule +digest:42$/m)
  expect(await bench.json(['schedule', 'rm', 'poll'])).toEqual({ name: 'poll', removed: true })
  for (const verb of ['show', 'rm', 'pause', 'resume', 'run']) {
    const { code, stderr } = await bench.run(['schedule', verb, 'poll'])
    expect([code, stderr]).toEqual([1, 'arq-ts: no schedule poll; arq-ts schedule ls lists them\n'])
  }
})

test('an invalid schedule is refused with the reason', async () => {
  const refused = async (...words: string[]) => (await bench.run(['schedule', 'put', 'x', 'f', ...words])).stderr
  expect(await refused()).toContain('expected one of `cron`, `everyMs` and `at`')
  expect(await refused('--cron', '61 * * * *')).toContain('expected a cron expression')
  expect(await refused('--every', '5')).toContain('expected a duration such as 30s')
  expect(await refused('--at', '2020-01-01')).toContain('expected `at` to lie in the future')
  expect(await refused('--every', '5m', '--time-zone', 'UTC')).not.toBe('')
})
