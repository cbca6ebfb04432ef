// For CI: a Docker engine of our own where none answers, with an image made from this machine's redis-server, since a
// machine may have no way to pull one. Root on Debian or Ubuntu only. Elsewhere the container tests are left out.
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { answers, quietly } from './command.mjs'
import { findServer } from './redis.mjs'
import { step } from './say.mjs'

const IMAGE = 'arq-ts/redis:local'

/** Gives the variables that point tests at an engine, and how to end it; or why there is none. */
export async function ensureEngine() {
  if (answers('docker', ['info'])) return { env: {}, stop: async () => {} }
  const isDebian =
    existsSync('/etc/os-release') && /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'))
  if (process.getuid?.() !== 0 || !isDebian) return { why: 'no Docker engine answers' }
  try {
    if (!answers('dockerd', ['--version'])) {
      // Loaded here: it is built, which what imports this module does first.
      const { aptInstall } = await import('@arq-ts/test-support')
      await step('installing a Docker engine', () => aptInstall('docker.io'))
    }
    return await start()
  } catch (error) {
    return { why: `no Docker engine can be started here: ${error.message.split('\n').at(-1)}` }
  }
}

async function start() {
  const dir = mkdtempSync(join(tmpdir(), 'arq-ts-docker-'))
  const host = `unix://${dir}/docker.sock`
  // No bridge and no firewall rules: they need rights that a sandbox may lack. Containers use the host's network.
  const flags = [
    '--iptables=false',
    '--bridge=none',
    '--data-root',
    `${dir}/data`,
    '--exec-root',
    `${dir}/exec`,
    '--pidfile',
    `${dir}/pid`,
    '-H',
    host,
  ]
  const engine = spawn('dockerd', flags, { stdio: 'ignore' })
  const ended = new Promise((resolve) => engine.on('close', resolve))
  const env = {
    DOCKER_HOST: host,
    TESTCONTAINERS_RYUK_DISABLED: 'true',
    TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1',
    ARQ_TEST_REDIS_IMAGE: IMAGE,
  }
  const stop = async () => {
    engine.kill('SIGTERM')
    await Promise.race([ended, sleep(15_000)])
    engine.kill('SIGKILL')
    // The engine leaves the network namespace of its containers mounted.
    await quietly('umount', ['-l', `${dir}/exec/netns/default`]).catch(() => {})
    rmSync(dir, { recursive: true, force: true })
  }
  process.on('exit', () => engine.kill('SIGKILL'))
  try {
    const inEngine = { env: { ...process.env, ...env } }
    for (let i = 0; ; i++) {
      const up = await quietly('docker', ['info'], inEngine).then(
        () => true,
        () => false,
      )
      if (up) break
      if (i === 40 || engine.exitCode !== null) throw new Error('dockerd does not come up')
      await sleep(500)
    }
    await importImage(dir, inEngine)
    return { env, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** A root with the server and the libraries it is linked with: enough to run it. */
async function importImage(dir, inEngine) {
  const rootfs = join(dir, 'rootfs')
  const binary = (await quietly('which', [findServer()])).trim()
  const libraries = (await quietly('ldd', [binary])).match(/\/\S+\.so\S*/g) ?? []
  for (const file of [binary, ...libraries]) {
    mkdirSync(join(rootfs, dirname(file)), { recursive: true })
    cpSync(file, join(rootfs, file), { dereference: true })
  }
  if (!existsSync(join(rootfs, 'usr/bin/redis-server')))
    cpSync(binary, join(rootfs, 'usr/bin/redis-server'), { dereference: true })
  mkdirSync(join(rootfs, 'tmp'), { recursive: true })
  const archive = join(dir, 'root.tar')
  await quietly('tar', ['-C', rootfs, '-cf', archive, '.'])
  await quietly(
    'docker',
    ['import', '--change', 'ENV PATH=/usr/bin:/bin', '--change', 'WORKDIR /tmp', archive, IMAGE],
    inEngine,
  )
}
