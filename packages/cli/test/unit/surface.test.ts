import { unrefusedOf } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import * as cli from '../../src/index.ts'

test('every exported function and constructor refuses what it cannot use', async () => {
  const unrefused = await unrefusedOf({
    exports: cli,
    // A client and a worker come from core's own constructors; whether one is one is all that is checked.
    accepted: { queueMetrics: [{ queues: {} }, () => {}] },
    data: ['queueMetrics(0)'],
    passed: {},
  })
  expect(unrefused.filter((problem) => !problem.startsWith('WorkerMetrics: give an instance'))).toEqual([])
})
