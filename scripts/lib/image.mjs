// The contents of the Docker image, without Docker: its build stage is run in a folder, and workers run there as they would in
// the image.
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chownSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { quietly, root } from './command.mjs'

const TASKS = ['delete_collection', 'persist_cache', 'run_canary_deployment']
const WORKER_LIMIT_MS = 60_000
/** The image's user: not the owner of its files. */
const USER = 1000

export const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')

/** Runs the Dockerfile's build stage on what Docker would copy; gives the folder that becomes `/app`. */
export async function buildImage(dir) {
  const [source, app] = [join(dir, 'build'), join(dir, 'app')]
  const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n').filter(Boolean)
  const isIgnored = (path) =>
    ignored.some((line) => (line.startsWith('**/') ? line.slice(3) === basename(path) : line === path))
  cpSync(root, source, { recursive: true, filter: (path) => !isIgnored(relative(root, path)) })
  const [, stage] = dockerfile.split(/^FROM /m)
  for (const [, command] of stage.matchAll(/^RUN ((?:.*\\\n)*.*)$/gm)) {
    const here = command.replaceAll('/tmp/pnpm', join(dir, 'pnpm')).replaceAll('/out', app)
    await quietly('sh', ['-ec', here], { cwd: source })
  }
  rmSync(source, { recursive: true })
  return app
}

/**
 * Lets a worker run one `persist_cache` of a queue of its own, and looks for what its persister has saved.
 *
 * @param {{ command: string[], folder: string, args?: string[], user?: object, redisUrl: string }} options `folder` is
 *   where it runs, `user` who it is
 * @throws Error unless all three tasks are loaded and the value is saved.
 */
export async function runWorker({ command: [program, ...first], folder, args = [], user = {}, redisUrl }) {
  const saved = mkdtempSync(join(tmpdir(), 'arq-ts-cache-'))
  if (user.uid !== undefined) chownSync(saved, user.uid, user.gid)
  const settings = Object.entries(process.env).filter(([name]) => !name.startsWith('ARQ_TS_'))
  const env = { ...Object.fromEntries(settings), CACHE_FOLDER: saved }
  const queue = ['--queue', `deploy-check-${randomUUID()}`, '--redis', redisUrl, ...args]
  const arqTs = (...words) =>
    quietly(program, [...first, ...words, ...queue], { cwd: folder, env, timeout: WORKER_LIMIT_MS, ...user })
  try {
    const call = ['key=user:1', 'value=ann', 'persist_func_module=app.persisters', 'persist_func_name=save_to_file']
    await arqTs('job', 'enqueue', 'persist_cache', ...call, '--codec', 'pickle')
    const log = await arqTs('worker', '--workers', '1', '--burst', '--log-format', 'json')
    const logged = log.match(/(?<="msg":")[^"]+/g) ?? []
    const loaded = logged.find((line) => line.startsWith('Starting worker')) ?? ''
    const missing = TASKS.filter((task) => !loaded.includes(task))
    if (missing.length > 0) throw new Error(`the worker has no ${missing.join(', ')}: ${loaded}`)
    if (readdirSync(saved).length === 0)
      throw new Error(`persist_cache saved nothing in CACHE_FOLDER:\n${logged.slice(-3).join('\n')}`)
  } finally {
    rmSync(saved, { recursive: true, force: true })
  }
}

const ORPHAN_TASK = `
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineTask } from '@arq-ts/core'
export default {
  tasks: [defineTask({ name: 'leave_orphan', handler })],
}
async function handler() {
  const pid = spawnSync('sh', ['-c', 'sleep 0.1 >/dev/null 2>&1 & echo $!'], { encoding: 'utf8' }).stdout.trim()
  const status = '/proc/' + pid + '/status'
  const state = () => (existsSync(status) ? /^State:\\s+(\\w)/m.exec(readFileSync(status, 'utf8'))?.[1] : 'gone')
  while (!['gone', 'Z'].includes(state())) await sleep(20)
  await sleep(200) // for PID 1 to wait for it
  return 'the orphan is ' + state()
}
`

/**
 * Starts a worker by the image's entry point as PID 1 of a namespace of its own, and lets a handler leave a process behind.
 *
 * @param {{ app: string, redisUrl: string, entrypoint?: string[] }} options `app` is the image's folder
 * @throws Error where the process stays as a zombie.
 */
export async function reapsOrphans({ app, redisUrl, entrypoint = imageEntrypoint() }) {
  writeFileSync(join(app, 'orphans.mjs'), ORPHAN_TASK)
  const env = { ...process.env, PATH: `${join(app, 'node_modules/.bin')}:${process.env.PATH}` }
  const queue = ['--queue', `deploy-check-${randomUUID()}`, '--redis', redisUrl]
  const run = (program, args) => quietly(program, [...args, ...queue], { cwd: app, env, timeout: WORKER_LIMIT_MS })
  await run('arq-ts', ['job', 'enqueue', 'leave_orphan'])
  const inNamespace = ['--pid', '--fork', '--mount-proc', '--kill-child', ...entrypoint]
  const log = await run('unshare', [
    ...inNamespace,
    'worker',
    './orphans.mjs',
    '--workers',
    '1',
    '--burst',
    '--log-format',
    'json',
  ])
  if (!log.includes('the orphan is gone')) throw new Error(`a process that a handler left is not reaped:\n${log}`)
}

function imageEntrypoint() {
  return JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)[1])
}

/** Root may write anywhere, a worker of the image may not: the user to run it as, where we may choose. */
export function imageUser() {
  const user = { uid: USER, gid: USER }
  const mayChoose = process.getuid?.() === 0 && spawnSync(process.execPath, ['--version'], user).status === 0
  return mayChoose ? user : {}
}
