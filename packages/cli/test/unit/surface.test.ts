import { unrefusedOf } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import * as cli from '../../src/index.ts'

test('every exported function and constructor refuses wrong arguments', async () => {
  const unrefused = await unrefusedOf({
    exports: cli,
    // Constructors of core make a client and a worker; the functions check only that they got one.
    accepted: { queueMetrics: [{ queues: {} }, () => {}] },
    data: ['queueMetrics(0)'],
    passed: {},
  })
  expect(unrefused.filter((problem) => !problem.startsWith('WorkerMetrics: give an instance'))).toEqual([])
})
