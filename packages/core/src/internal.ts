// For the benchmark of this workspace alone; published packages have no such entry.
export { Broker } from './redis/broker.ts'
export { RedisClock } from './redis/clock.ts'
export { luaSources } from './redis/scripts.generated.ts'
