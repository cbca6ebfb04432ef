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
