import { execFile, execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { aptInstall, eventually, freePort } from '@arq-ts/test-support'

const run = promisify(execFile)

/** A PostgreSQL for tests: of POSTGRES_URL, or one of our own from the programs of this machine. */
export interface Postgres {
  url: string
  stop: () => Promise<void>
}

/** Reason why there can be none here; undefined where there can. */
export function whyNoPostgres(): string | undefined {
  if (process.env.POSTGRES_URL || findPrograms() || mayInstall()) return undefined
  return 'no PostgreSQL here: no POSTGRES_URL, no initdb on the PATH or in /usr/lib/postgresql (apt-get install postgresql)'
}

export async function startPostgres(): Promise<Postgres> {
  if (process.env.POSTGRES_URL) return { url: process.env.POSTGRES_URL, stop: () => Promise.resolve() }
  const programs = findPrograms() ?? (await install())
  const folder = mkdtempSync(join(tmpdir(), 'arq-ts-postgres-'))
  chmodSync(folder, 0o755)
  const data = join(folder, 'data')
  // It refuses to run as root.
  const asUser = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {}
  if ('uid' in asUser) execFileSync('chown', ['-R', `${asUser.uid}:${asUser.gid}`, folder])
  const options = { ...asUser, cwd: folder, env: { PATH: process.env.PATH, LC_ALL: 'C' } }
  await run(join(programs, 'initdb'), ['-D', data, '-U', 'test', '-A', 'trust', '--no-sync'], options)
  const port = await freePort()
  const args = ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off']
  const server = spawn(join(programs, 'postgres'), args, { ...options, stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const kill = () => void server.kill('SIGQUIT')
  process.once('exit', kill)
  await eventually(async () => {
    await run(join(programs, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)], options)
    return true
  })
  return {
    url: `postgres://test@127.0.0.1:${port}/postgres`,
    stop: async () => {
      kill()
      await ended
      process.off('exit', kill)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function findPrograms(): string | undefined {
  const versions = existsSync('/usr/lib/postgresql')
    ? readdirSync('/usr/lib/postgresql').sort((a, b) => Number(b) - Number(a))
    : []
  const folders = [
    ...versions.map((version) => `/usr/lib/postgresql/${version}/bin`),
    ...(process.env.PATH ?? '').split(':'),
  ]
  return folders.find((folder) => ['initdb', 'postgres', 'pg_isready'].every((name) => existsSync(join(folder, name))))
}

/** In CI, and as root on Debian or Ubuntu: nobody else's machine gets a server it did not ask for. */
function mayInstall(): boolean {
  return Boolean(process.env.CI) && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')
}

async function install(): Promise<string> {
  // Only the programs: no cluster is made, and no service started.
  await run('sh', [
    '-c',
    'mkdir -p /etc/postgresql-common && grep -qs create_main_cluster /etc/postgresql-common/createcluster.conf || echo "create_main_cluster = false" >> /etc/postgresql-common/createcluster.conf',
  ])
  await aptInstall('postgresql')
  const found = findPrograms()
  if (!found) throw new Error('postgresql was installed, and its programs are not found')
  return found
}

function idOf(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
}
