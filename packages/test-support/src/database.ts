import { Redis } from 'ioredis'

/** Databases of a test server, more than a run takes; 0 is the counter's. */
const DATABASES = 16_384

/** Arguments of each test server. */
export function serverArgs(port: number): string[] {
  return ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--databases', String(DATABASES)]
}

/** A database of a test server that nobody else uses now. */
export interface Database {
  url: string
  /** A plain client on it, for looking at what stands there. */
  redis: Redis
  /** Empties it and closes the client. */
  release(): Promise<void>
}

/** Takes an empty database of the shared server (ARQ_TEST_REDIS_URL), or of the one named. */
export async function takeDatabase(serverUrl: string | undefined = process.env.ARQ_TEST_REDIS_URL): Promise<Database> {
  if (!serverUrl) throw new Error('ARQ_TEST_REDIS_URL is not set: run the tests by `npm test` or `pnpm vitest`')
  const counter = new Redis(serverUrl)
  const number = 1 + ((await counter.incr('arq-ts:test-databases')) % (DATABASES - 1))
  counter.disconnect()
  const url = `${serverUrl}/${number}`
  const redis = new Redis(url)
  await redis.flushdb()
  return {
    url,
    redis,
    release: async () => {
      await redis.flushdb()
      redis.disconnect()
    },
  }
}
