// A Valkey 8 in addition to the installed Redis: one on the PATH, else the package of Debian, its backports or Ubuntu, unpacked
// into a folder of ours (the system's own package lists stay as they are), else the program out of the official image.
// A program rather than a container: tests kill it, stop it and start it again on its data.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { answers, quietly, root } from './command.mjs'

const OLDEST = 8
// Debian's C library, as most machines have; the Alpine image's programs run on Alpine only.
const IMAGE = 'valkey/valkey:8'
const home = join(root, '.cache', 'servers')
const unpacked = join(home, 'valkey', 'usr', 'bin', 'valkey-server')
const extracted = join(home, 'valkey-image', 'valkey-server')

const DISTRIBUTIONS = {
  debian: { suites: (name) => [name, `${name}-backports`], component: 'main' },
  ubuntu: { suites: (name) => [name, `${name}-updates`], component: 'universe' },
}

/** The server's path; or why there is none, and whether one should have been had here. */
export async function findValkey() {
  const release = distribution()
  const named = process.env.ARQ_TEST_VALKEY
  const ways = named ? [[named]] : [['valkey-server'], [unpacked, () => unpack(release)], [extracted, () => extract()]]
  const there = ways.find(([path]) => whyNot(path) === undefined)
  if (there) return { path: there[0] }
  const reasons = []
  for (const [path, make] of ways) {
    try {
      await make?.()
    } catch (error) {
      reasons.push(error.message.split('\n').at(-1))
      continue
    }
    const why = whyNot(path)
    if (why === undefined) return { path }
    reasons.push(why)
  }
  return { why: reasons.join('; '), expected: release !== undefined || named !== undefined }
}

/** Reason why this server will not do; undefined when it will. */
function whyNot(path) {
  const { status, stdout, stderr, error } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 15_000 })
  if (error?.code === 'ENOENT') return path.includes('/') ? `no ${path}` : `no ${path} on the PATH`
  if (status !== 0) return `${path} does not start here: ${(stderr || String(error)).trim().split('\n')[0]}`
  const version = /v=([\d.]+)/.exec(stdout)?.[1] ?? stdout.trim()
  return Number.parseInt(version, 10) >= OLDEST ? undefined : `${path} is ${version}, older than ${OLDEST}`
}

/** Debian or Ubuntu, and its code name; undefined elsewhere. */
function distribution() {
  if (!existsSync('/etc/os-release') || !answers('apt-get', ['--version'])) return undefined
  const release = readFileSync('/etc/os-release', 'utf8')
  const id = /^ID="?(\w+)/m.exec(release)?.[1]
  const suite = /^VERSION_CODENAME="?(\w+)/m.exec(release)?.[1]
  return id in DISTRIBUTIONS && suite !== undefined ? { id, suite } : undefined
}

async function unpack(release) {
  if (release === undefined) throw new Error('no package of it, as this is no Debian or Ubuntu')
  const { id, suite } = release
  const { suites, component } = DISTRIBUTIONS[id]
  const state = join(home, 'apt')
  rmSync(state, { recursive: true, force: true })
  for (const folder of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(state, folder), { recursive: true })
  const address = packageSource(id)
  const lines = suites(suite).map(
    (name) => `deb [signed-by=/usr/share/keyrings/${id}-archive-keyring.gpg] ${address} ${name} ${component}\n`,
  )
  writeFileSync(join(state, 'sources.list'), lines.join(''))
  const options = [
    ['Dir::Etc::sourcelist', join(state, 'sources.list')],
    ['Dir::Etc::sourceparts', '/dev/null'],
    ['Dir::State::lists', join(state, 'lists')],
    ['Dir::Cache', join(state, 'cache')],
    ['APT::Get::List-Cleanup', '0'],
  ].flatMap(([key, value]) => ['-o', `${key}=${value}`])
  await quietly('apt-get', [...options, 'update'])
  const names = ['valkey-server', 'valkey-tools']
  await quietly('apt-get', [...options, 'download', ...names], { cwd: join(state, 'cache') })
  rmSync(join(home, 'valkey'), { recursive: true, force: true })
  mkdirSync(join(home, 'valkey'), { recursive: true })
  for (const file of readdirSync(join(state, 'cache')).filter((name) => name.endsWith('.deb'))) {
    await quietly('dpkg-deb', ['-x', join(state, 'cache', file), join(home, 'valkey')])
  }
}

/** Address from which this machine gets its distribution's packages; nothing of it is written down here. */
function packageSource(id) {
  const files = ['/etc/apt/sources.list', `/etc/apt/sources.list.d/${id}.sources`, `/etc/apt/sources.list.d/${id}.list`]
  for (const file of files.filter((path) => existsSync(path))) {
    const text = readFileSync(file, 'utf8')
    const address = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)/m.exec(text)?.[1] ?? /^URIs:\s*(\S+)/m.exec(text)?.[1]
    if (address && !/security/.test(address)) return address
  }
  throw new Error(`no package source of ${id} is configured here`)
}

/** Takes the server out of the image: a container is made for its files, and never started. */
async function extract() {
  if (!answers('docker', ['info'])) throw new Error('no Docker engine answers')
  mkdirSync(join(home, 'valkey-image'), { recursive: true })
  const id = (await quietly('docker', ['create', IMAGE])).trim().split('\n').at(-1)
  try {
    await quietly('docker', ['cp', '--follow-link', `${id}:/usr/local/bin/valkey-server`, extracted])
  } finally {
    await quietly('docker', ['rm', id])
  }
}
