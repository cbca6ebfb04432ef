// A Valkey 8 beside the installed Redis: the distribution's package of Debian's next release or of its backports,
// unpacked into a folder of ours. The system's own package lists stay as they are.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { answers, quietly, root } from './command.mjs'

const home = join(root, '.cache', 'servers')
const binary = join(home, 'valkey', 'usr', 'bin', 'valkey-server')

/** The server's path, or why there is none. */
export async function findValkey() {
  const onPath = process.env.ARQ_TEST_VALKEY ?? 'valkey-server'
  if (answers(onPath, ['--version'])) return { path: onPath }
  if (existsSync(binary) && answers(binary, ['--version'])) return { path: binary }
  if (process.platform !== 'linux' || !answers('apt-get', ['--version'])) return { why: 'no valkey-server on the PATH' }
  if (!/^ID=debian/m.test(readFileSync('/etc/os-release', 'utf8')))
    return { why: 'no valkey-server on the PATH, and only Debian is known to offer one' }
  try {
    await unpack()
    if (answers(binary, ['--version'])) return { path: binary }
    return { why: 'the unpacked valkey-server does not start here' }
  } catch (error) {
    return { why: error.message.split('\n').slice(-1)[0] }
  }
}

async function unpack() {
  const state = join(home, 'apt')
  rmSync(state, { recursive: true, force: true })
  for (const folder of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(state, folder), { recursive: true })
  const { address, suite } = source()
  writeFileSync(
    join(state, 'sources.list'),
    `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${address} ${suite}-backports main\n`,
  )
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
  mkdirSync(join(home, 'valkey'), { recursive: true })
  for (const file of readdirSync(join(state, 'cache')).filter((name) => name.endsWith('.deb'))) {
    await quietly('dpkg-deb', ['-x', join(state, 'cache', file), join(home, 'valkey')])
  }
}

/** Where this machine gets its own packages from; nothing of it is written down here. */
function source() {
  const release = readFileSync('/etc/os-release', 'utf8')
  const suite = /^VERSION_CODENAME=(\w+)/m.exec(release)?.[1] ?? 'bookworm'
  const parts = existsSync('/etc/apt/sources.list.d')
    ? readdirSync('/etc/apt/sources.list.d').map((file) => `/etc/apt/sources.list.d/${file}`)
    : []
  for (const file of ['/etc/apt/sources.list', ...parts].filter((path) => existsSync(path))) {
    const text = readFileSync(file, 'utf8')
    const address = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)/m.exec(text)?.[1] ?? /^URIs:\s*(\S+)/m.exec(text)?.[1]
    if (address && !/security/.test(address)) return { address, suite }
  }
  throw new Error('no package source is configured here')
}
