import { expect, test } from 'vitest'
import { rowsOf } from '../../src/read/functions.ts'

test('a queue that has gone since jobs were sampled needs nobody, and its function stays known', () => {
  const sample = {
    waiting: new Map([['mail', new Map([['embed', 3]])]]),
    pythonRuns: new Set<string>(),
    running: new Map<string, number>(),
    failing: [],
    jobs: 3,
    complete: true,
  }
  const seen = { queues: [], workers: [], python: [] }
  const rows = rowsOf({ seen, sample, declared: new Map(), dead: new Map() })
  expect(rows).toMatchObject([{ functionName: 'embed', queues: [], unserved: false, python: 'none' }])
})
