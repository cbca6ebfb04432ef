/** Prometheus metrics for workers that are embedded in a service of your own; the command needs none of this. */
export { queueMetrics } from './metrics/queue-metrics.ts'
export { WorkerMetrics } from './metrics/worker-metrics.ts'
