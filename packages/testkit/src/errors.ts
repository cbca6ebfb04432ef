import { ArqError } from '@arq-ts/core'

/** The test queue cannot be had, or cannot go on: no server, a database that is not empty, jobs that do not start. */
export class TestQueueError extends ArqError {
  readonly code = 'ARQ_TEST_QUEUE'
}
