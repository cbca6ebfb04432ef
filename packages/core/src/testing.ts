/** Support of `@arq-ts/testkit`, which is what applications use: it changes with the kit, at any release. */
export { orderJobIds } from './client/job-ids.ts'
export { packCall } from './client/packing.ts'
export { checkEnqueueOptions } from './options/enqueue.ts'
export { enqueueWithin } from './middleware/enqueue-side.ts'
export type { EnqueueWithin, Metadata } from './middleware/enqueue-side.ts'
export { middlewareSchema } from './middleware/middleware.ts'
export { handlerWithin } from './middleware/run-side.ts'
export { followTime, SteppedWorker } from './worker/stepped-worker.ts'
