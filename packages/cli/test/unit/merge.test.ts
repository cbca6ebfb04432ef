import { defineTask } from '@arq-ts/core'
import type { Middleware } from '@arq-ts/core'
import { expect, test } from 'vitest'
import { merge } from '../../src/worker/modules.ts'

const task = defineTask({ name: 'f', handler: () => 1 })

test('middleware of several modules adds up, the first module outermost', () => {
  const [outer, inner]: Middleware[] = [{ run: (_, next) => next() }, { enqueue: (_, next) => next() }]
  const merged = merge([{ tasks: [task], middleware: [outer!] }, {}, { middleware: [inner!] }])
  expect(merged.middleware).toEqual([outer, inner])
  expect(merge([{ tasks: [task] }, {}])).not.toHaveProperty('middleware')
})
