import { ArqError } from '@arq-ts/core'

/** A test queue that cannot start or continue: no server, a database that is not empty, jobs that do not start. */
export class TestQueueError extends ArqError {
  readonly code = 'ARQ_TEST_QUEUE'
}
