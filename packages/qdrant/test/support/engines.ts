import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Child, freePort, pythonQdrant, QDRANT_CLIENT, whyNoPython } from '@arq-ts/test-support'
import { GenericContainer, Wait } from 'testcontainers'

const run = promisify(execFile)
const here = dirname(fileURLToPath(import.meta.url))

/** A Qdrant that answers, and how to end it. */
export interface Engine {
  url: string
  /** Description, in words. */
  engine: string
  stop(): Promise<void>
}

/** The image that is used where Docker has it; nothing is pulled. */
export function qdrantImage(): string {
  return process.env.ARQ_TEST_QDRANT_IMAGE ?? 'qdrant/qdrant:v1.18.2'
}

/** True where a Docker engine answers and has the image. */
export async function hasImage(): Promise<boolean> {
  if (process.env.ARQ_TEST_CONTAINERS === '0') return false
  try {
    await run('docker', ['image', 'inspect', qdrantImage()], { timeout: 10_000 })
    return true
  } catch {
    return false
  }
}

/** A real Qdrant in a container, on the host's network and ports of its own: that works where port mapping does not, too. */
export async function startContainer(): Promise<Engine> {
  const [http, grpc] = [await freePort(), await freePort()]
  const container = await new GenericContainer(qdrantImage())
    .withNetworkMode('host')
    .withEnvironment({
      QDRANT__SERVICE__HOST: '127.0.0.1',
      QDRANT__SERVICE__HTTP_PORT: String(http),
      QDRANT__SERVICE__GRPC_PORT: String(grpc),
      QDRANT__TELEMETRY_DISABLED: 'true',
    })
    .withWaitStrategy(Wait.forLogMessage(/Qdrant HTTP listening/))
    .start()
  return {
    url: `http://127.0.0.1:${http}`,
    engine: `${qdrantImage()} in a container`,
    stop: async () => {
      await container.stop()
    },
  }
}

/** Qdrant's own in-memory engine for Python, behind Qdrant's REST contract. */
export async function startPythonEngine(): Promise<Engine> {
  const reason = await whyNoPython()
  if (reason !== undefined) throw new Error(`no Qdrant to test against: ${reason}`)
  // Its standard input stays open as long as this process lives: it ends with us, however we end.
  const child = new Child(await pythonQdrant(), ['-u', join(here, 'qdrant_front.py')], { stdin: true })
  const port = (await child.line(/^listening \d+$/, { timeoutMs: 60_000 })).split(' ')[1]
  return {
    url: `http://127.0.0.1:${port}`,
    engine: `the in-memory engine of qdrant-client ${QDRANT_CLIENT}`,
    stop: async () => {
      await child.stop()
    },
  }
}
