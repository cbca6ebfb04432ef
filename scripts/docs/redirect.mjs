// Leads connections to localhost:6379, the address on the pages, to the Redis on REDIS_PORT; for this process, and with
// `node --import` for commands of a page.
import net from 'node:net'

/** The port of the pages. */
export const SHOWN_PORT = 6379

const connect = Reflect.get(net.Socket.prototype, 'connect')
net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0]
  if (Number(options?.port) === SHOWN_PORT) options.port = Number(process.env.REDIS_PORT)
  return connect.apply(this, args)
}
