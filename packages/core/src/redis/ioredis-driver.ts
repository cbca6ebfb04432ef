/** Everything that needs ioredis when it is loaded; see driver.ts. */
export { openClient } from './open-client.ts'
export { ScriptCommand } from './script-command.ts'
export { SentinelWatch } from './sentinel-watch.ts'
