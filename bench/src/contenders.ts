// Who is measured. A peer that cannot be had here is left out by name, with the reason.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { play } from './peer-process.ts'
import type { Launch } from './peer-process.ts'

const run = promisify(execFile)
const here = dirname(fileURLToPath(import.meta.url))
const bench = resolve(here, '..')
const cache = resolve(bench, '../.cache/bench')

/** A library under measurement, or a way to run one. */
export interface Contender {
  name: string
  launch: Launch
  /** The contender that fills its queue; default: itself. Python's arq has no bulk call, and reads what we write. */
  filler?: Launch
}

export interface Contenders {
  /** Contenders by name, ours first. */
  present: ReadonlyMap<string, Contender>
  absent: readonly { name: string; why: string }[]
  /** Library and version of each that is present. */
  versions: Record<string, string>
  /** An interpreter that has Python's arq, where there is one. */
  python: string | undefined
}

const node = (file: string, options?: object): Launch => ({
  command: process.execPath,
  args: [join(here, 'peers', file)],
  ...(options ? { options } : {}),
})

export const arqTs: Contender = { name: 'arq-ts', launch: node('arq-ts.js') }
/** Load during the measurement of pickup. */
export const wakeFloor: Launch = node('wake-floor.js')

export async function findContenders(say: (line: string) => void): Promise<Contenders> {
  const present: Contender[] = [
    arqTs,
    { name: 'BullMQ', launch: node('bullmq.js') },
    { name: 'bee-queue', launch: node('bee-queue.js') },
  ]
  const absent: { name: string; why: string }[] = []
  const python = await attempt(['arq', 'arq, polling at zero', 'SAQ', 'streaq'], () =>
    preparePython('requirements.txt', say),
  )
  const py = (interpreter: string, file: string, options?: object): Launch => ({
    command: interpreter,
    args: ['-B', join(bench, 'python', file)],
    ...(options ? { options } : {}),
  })
  if (python) {
    const filler = node('arq-ts.js', { codec: 'pickle' })
    present.push(
      { name: 'arq', launch: py(python, 'arq_peer.py'), filler },
      { name: 'arq, polling at zero', launch: py(python, 'arq_peer.py', { pollDelay: 0 }), filler },
      { name: 'SAQ', launch: py(python, 'saq_peer.py') },
      { name: 'streaq', launch: py(python, 'streaq_peer.py') },
    )
  }
  // Its redis-py and arq's exclude each other.
  const other = await attempt(['taskiq-redis'], () => preparePython('requirements-taskiq.txt', say))
  if (other) present.push({ name: 'taskiq-redis', launch: py(other, 'taskiq_peer.py') })
  const asynq = await attempt(['asynq'], () => buildGo(say))
  if (asynq) present.push({ name: 'asynq', launch: { command: asynq, args: [] } })

  const versions: Record<string, string> = {}
  const sound: Contender[] = []
  for (const contender of present) {
    const named = await attempt([contender.name], () =>
      play<{ name: string; version: string }>(contender.launch, 'version', {}, 30_000),
    )
    if (!named) continue
    versions[contender.name] = `${named.name} ${named.version}`
    sound.push(contender)
  }
  return { present: new Map(sound.map((each) => [each.name, each])), absent, versions, python }

  async function attempt<T>(names: string[], make: () => Promise<T>): Promise<T | undefined> {
    try {
      return await make()
    } catch (error) {
      const why = (error as Error).message.trim().split('\n').slice(0, 2).join(' ')
      for (const name of names) absent.push({ name, why })
      return undefined
    }
  }
}

/** A virtual environment with the Python peers, made anew when their pins change. */
async function preparePython(requirements: string, say: (line: string) => void): Promise<string> {
  const pins = join(bench, 'python', requirements)
  const digest = createHash('sha256').update(readFileSync(pins)).digest('hex').slice(0, 12)
  const home = join(cache, `python-${digest}`)
  const interpreter = join(home, 'bin', 'python')
  if (existsSync(join(home, 'complete'))) return interpreter
  say(`installing Python peers from PyPI (${requirements})`)
  rmSync(home, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  await run('python3', ['-m', 'venv', home])
  await run(interpreter, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', pins])
  writeFileSync(join(home, 'complete'), '')
  return interpreter
}

async function buildGo(say: (line: string) => void): Promise<string> {
  const program = join(cache, 'asynq-peer')
  if (!existsSync(program)) say('building the Go peer')
  await run('go', ['build', '-o', program, '.'], { cwd: join(bench, 'go') })
  return program
}
