import { findServer, RedisServer } from '@arq-ts/test-support'

/** One server for a project's tests, each of which takes a database of its own; ARQ_TEST_REDIS_URL names one that runs already. */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  const running = process.env.ARQ_TEST_REDIS_URL
  if (running && !started) {
    console.log(`tests use ${running}`)
    return undefined
  }
  const server = await RedisServer.start()
  started = true
  process.env.ARQ_TEST_REDIS_URL = server.url
  console.log(`tests use ${findServer()} on ${server.url}`)
  return () => server.stop()
}

/** The variable is ours once a project has started a server: the next project gets one of its own. */
let started = false
