import { expect, test } from 'vitest'
import type { DeploymentGuard } from '../../src/index.ts'
import { withoutFalseClear } from '../../src/tasks/views.ts'

const guard: DeploymentGuard = {
  name: 'error rate compared with the old collection',
  unit: 'ratio',
  side: 'max',
  value: 0.1,
  old: 0,
  limit: 0.02,
  low: 0.052,
  high: 0.19,
  samples: 80,
  verdict: 'ok',
  text: null,
}

test('a guard whose value is beyond its limit is never shown as one that holds', () => {
  expect(withoutFalseClear(guard)).toMatchObject({ verdict: 'unseen', text: expect.stringContaining('too few') })
  expect(withoutFalseClear({ ...guard, side: 'min', value: 0.01 }).verdict).toBe('unseen')
})

test('a guard within its limit, one without a limit or value, and the findings of the judge stay as they are', () => {
  const others: Partial<DeploymentGuard>[] = [
    { value: 0.02 },
    { value: 0.01 },
    { side: 'min', value: 0.02 },
    { side: 'min', value: 0.3 },
    { limit: null },
    { value: null },
    { verdict: 'doubt', text: 'looks bad' },
    { verdict: 'breach', text: 'is bad' },
  ]
  for (const other of others) expect(withoutFalseClear({ ...guard, ...other })).toEqual({ ...guard, ...other })
})
