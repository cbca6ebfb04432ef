// Further output of a failed test: the output of the processes that it has started.
import { describeChildrenSince } from '../../packages/test-support/src/child.ts'
import { afterEach } from 'vitest'

afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return
  for (const child of describeChildrenSince(task.result.startTime ?? 0)) console.error(child)
})
