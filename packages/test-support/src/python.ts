import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Pinned: what a version of arq is proved with. */
const PACKAGES = {
  arq: ['0.26.1', '0.26.3', '0.28.0'],
  msgpack: '1.2.4',
  redis: '5.3.1',
  cronsim: '2.8',
  celery: '5.7.0',
  tzdata: '2026.6',
} as const

/** Pinned: its minor version is that of the JavaScript client. */
export const QDRANT_CLIENT = '1.18.0'

/** The versions of Python arq that the interop proof covers. */
export const ARQ_VERSIONS: readonly string[] = PACKAGES.arq

/** Reason to leave Python out here, or undefined where it can be used. */
export async function whyNoPython(): Promise<string | undefined> {
  try {
    await run(python3(), ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))'])
  } catch {
    return 'no python3 (3.9 or newer) on the PATH'
  }
  try {
    await run(python3(), ['-m', 'venv', '--help'])
    await run(python3(), ['-c', 'import ensurepip'])
  } catch {
    return 'python3 has no venv module (on Debian: apt-get install python3-venv)'
  }
  return undefined
}

function python3(): string {
  return process.env.ARQ_TEST_PYTHON3 ?? 'python3'
}

/** The interpreter of a virtual environment with this arq, made once and kept under `.cache`. */
export function pythonArq(version: string): Promise<string> {
  const pins = [`arq==${version}`, `msgpack==${PACKAGES.msgpack}`, `redis[hiredis]==${PACKAGES.redis}`]
  return environment(`arq-${version}`, 'arq', pins)
}

/** The interpreter of a virtual environment with cronsim, arq and the zones of zoneinfo: an oracle for cron schedules. */
export function pythonCron(): Promise<string> {
  const { arq, cronsim, tzdata } = PACKAGES
  const pins = [`arq==${arq.at(-1)}`, `cronsim==${cronsim}`, `tzdata==${tzdata}`]
  return environment(`cron-${cronsim}`, 'cronsim, arq, tzdata', pins)
}

/** The interpreter of a virtual environment with Celery, from which users migrate. */
export function pythonCelery(): Promise<string> {
  return environment(`celery-${PACKAGES.celery}`, 'celery', [`celery[redis]==${PACKAGES.celery}`])
}

/** The interpreter of a virtual environment with qdrant-client, whose in-memory engine stands for a Qdrant. */
export function pythonQdrant(): Promise<string> {
  return environment(`qdrant-${QDRANT_CLIENT}`, 'qdrant_client', [`qdrant-client==${QDRANT_CLIENT}`])
}

/**
 * Makes the environments of tests against Python at once, as each waits for a registry most of the time. Rejects with a
 * sentence that names the first that cannot be made.
 *
 * @returns the interpreters, by the version of arq or by name
 */
export async function allPythons(): Promise<Record<string, string>> {
  const wanted: [name: string, what: string, made: Promise<string>][] = [
    ...ARQ_VERSIONS.map((version): (typeof wanted)[number] => [version, `arq ${version}`, pythonArq(version)]),
    ['CRON', 'cronsim', pythonCron()],
    ['CELERY', 'Celery', pythonCelery()],
  ]
  const ended = await Promise.allSettled(wanted.map(([, , made]) => made))
  return Object.fromEntries(
    ended.map((each, i) => {
      const [name, what] = wanted[i]!
      if (each.status === 'fulfilled') return [name, each.value]
      const [line] = (each.reason as Error).message.split('\n')
      throw new Error(`${what} cannot be installed: ${line}`, { cause: each.reason })
    }),
  )
}

/** Interpreter that has pip. One installs for all environments: making pip costs more time than most of them. */
let installer: Promise<string> | undefined

async function environment(name: string, imports: string, pins: readonly string[]): Promise<string> {
  return made(name, async (building, python) => {
    await run(python3(), ['-m', 'venv', '--without-pip', building])
    const pip = await (installer ??= made('pip', (home) => run(python3(), ['-m', 'venv', home])))
    // By its prefix, which every pip knows. Imported modules are compiled then; most never are.
    const quiet = ['--quiet', '--disable-pip-version-check', '--no-compile']
    const install = ['-m', 'pip', 'install', ...quiet, '--ignore-installed', '--prefix', building, ...pins]
    await run(pip, install, { timeout: 300_000 })
    await run(python, ['-c', `import ${imports}`])
  })
}

/** Makes an environment once, and keeps it under `.cache`. Its path is its own: its programs name another interpreter. */
async function made(name: string, make: (building: string, python: string) => Promise<unknown>): Promise<string> {
  const cache = resolve(dirname(fileURLToPath(import.meta.url)), '../../../.cache/python')
  const home = join(cache, name)
  const interpreter = join(home, 'bin', 'python')
  if (existsSync(join(home, 'complete'))) return interpreter
  mkdirSync(cache, { recursive: true })
  // Built elsewhere and moved into place: two test runs may both try.
  const building = `${home}.${process.pid}`
  await make(building, join(building, 'bin', 'python'))
  writeFileSync(join(building, 'complete'), '')
  try {
    renameSync(building, home)
  } catch {
    rmSync(building, { recursive: true, force: true }) // the other run was first
  }
  return interpreter
}
