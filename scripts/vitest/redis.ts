import { findServer, RedisServer } from '@arq-ts/testkit'

/** One server for a project's tests, each of which takes a database of its own. */
export default async function setup(): Promise<() => Promise<void>> {
  const server = await RedisServer.start()
  process.env.ARQ_TEST_REDIS_URL = server.url
  console.log(`tests use ${findServer()} on ${server.url}`)
  return () => server.stop()
}
