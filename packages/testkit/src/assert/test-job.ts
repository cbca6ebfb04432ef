/** A job as a test sees it. */
export interface TestJob {
  jobId: string
  /** The function's name on the wire. */
  functionName: string
  queueName: string
  /**
   * The handler's input: the parameters with defaults applied, for a task that has `params`; else the arguments as an
   * array. Where they do not fit the task, the arguments and keywords as they came.
   */
  input: unknown
  /** State: it waits for its time or a worker, or a worker has begun it. */
  state: 'waiting' | 'begun'
  /** Due time, in unix ms of the queue's time. */
  dueMs: number
}
