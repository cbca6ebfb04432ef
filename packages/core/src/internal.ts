// Only for the benchmark and the generated pages of this workspace; published packages have no such entry.
export { ARQ_PARAMETERS } from './options/arq-names.ts'
export { Broker } from './redis/broker.ts'
export { loadDriver } from './redis/driver.ts'
export { RedisClock } from './redis/clock.ts'
export { luaSources } from './redis/scripts.generated.ts'
