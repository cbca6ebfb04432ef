import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { GenericContainer, Wait } from 'testcontainers'
import { serverArgs } from './database.ts'
import { freePort } from './free-port.ts'

const run = promisify(execFile)

/** Reason to leave containers out here, or undefined where an engine answers and has (or can have) the image. */
export async function whyNoContainers(): Promise<string | undefined> {
  if (process.env.ARQ_TEST_CONTAINERS === '0') return 'ARQ_TEST_CONTAINERS is 0'
  try {
    await run('docker', ['info'], { timeout: 10_000 })
  } catch {
    return 'no Docker engine answers'
  }
  try {
    await run('docker', ['image', 'inspect', testImage()], { timeout: 10_000 })
  } catch {
    try {
      await run('docker', ['pull', testImage()], { timeout: 120_000 })
    } catch {
      return `Docker has no image ${testImage()} and cannot pull it`
    }
  }
  return undefined
}

function testImage(): string {
  return process.env.ARQ_TEST_REDIS_IMAGE ?? 'redis:7-alpine'
}

/** A Redis in a container, on the host's network and a port of its own: that works where port mapping does not, too. */
export async function startRedisContainer(): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort()
  const container = await new GenericContainer(testImage())
    .withNetworkMode('host')
    .withCommand(['redis-server', ...serverArgs(port)])
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .start()
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      await container.stop()
    },
  }
}
