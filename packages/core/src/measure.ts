export { measureCommands } from './redis/meter.ts'
