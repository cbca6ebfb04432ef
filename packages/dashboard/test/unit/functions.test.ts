import { expect, test } from 'vitest'
import { rowsOf } from '../../src/read/functions.ts'

test('a queue that has gone since jobs were sampled needs nobody, and its function stays known', () => {
  const sample = {
    queues: new Map([
      ['mail', { waiting: new Map([['embed', 3]]), running: new Map<string, number>(), pythonRuns: new Set<string>() }],
    ]),
    tried: [],
    jobs: 3,
    complete: true,
  }
  const seen = { queues: [], workers: [], python: [] }
  const rows = rowsOf({ seen, sample, declared: new Map(), dead: new Map() })
  expect(rows).toMatchObject([{ functionName: 'embed', queues: [], unserved: false, python: 'none' }])
})

test('a function that has ended on Python is possible where a Python worker still serves its queue, without a job that waits', () => {
  const sample = { queues: new Map(), tried: [], jobs: 0, complete: true }
  const declared = new Map([['send_mail', { schema: null, timeoutMs: null, maxTries: null }]])
  const ranOnPython = new Map([['send_mail', ['mail']]])
  const pythonIn = (queueName: string) => {
    const seen = { queues: [], workers: [], python: [{ queueName } as never] }
    return rowsOf({ seen, sample, declared, dead: new Map(), ranOnPython })[0]!.python
  }
  expect([pythonIn('mail'), pythonIn('other')]).toEqual(['possible', 'none'])
})
