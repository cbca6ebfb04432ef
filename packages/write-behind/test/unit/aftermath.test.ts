import { describe, expect, test } from 'vitest'
import { aftermathOf } from '../../src/aftermath.ts'
import type { FailedRun } from '../../src/aftermath.ts'

const run: FailedRun = {
  code: undefined,
  deferMs: undefined,
  cutBy: null,
  jobTry: 1,
  maxTries: 3,
  retryMs: 1_000,
  carriesValue: true,
  epoch: 7,
}
const death = { then: 'die', carriesValue: true, epoch: 7, inMs: 1_000 }

describe('the fate of a value that was not persisted', () => {
  test.each<[string, Partial<FailedRun>, object]>([
    ['an error', {}, { then: 'retry', inMs: 1_000 }],
    ['an error in the last try', { jobTry: 3 }, death],
    ['an error that no try repairs', { code: 'ARQ_NON_RETRYABLE' }, death],
    ['wrong arguments', { code: 'ARQ_ARGUMENTS' }, death],
    ['a Retry', { code: 'ARQ_RETRY', deferMs: 5_000 }, { then: 'retry', inMs: 5_000 }],
    ['a Retry in the last try', { code: 'ARQ_RETRY', deferMs: 5_000, jobTry: 3 }, { ...death, inMs: 5_000 }],
    ['a timeout', { cutBy: 'ARQ_JOB_TIMEOUT' }, { then: 'leave' }],
    ['a timeout of the last try', { cutBy: 'ARQ_JOB_TIMEOUT', jobTry: 3 }, death],
    ['an abort', { cutBy: 'ARQ_JOB_ABORTED', jobTry: 3 }, { then: 'leave' }],
    ['a shutdown in the last try, which is not counted', { cutBy: 'ARQ_WORKER_STOPPED', jobTry: 3 }, { then: 'leave' }],
    ['a lost lease', { cutBy: 'ARQ_LEASE_LOST', jobTry: 3 }, { then: 'leave' }],
  ])('after %s', (_name, given, expected) => expect(aftermathOf({ ...run, ...given })).toEqual(expected))
})
