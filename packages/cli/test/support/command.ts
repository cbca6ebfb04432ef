import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterEach, beforeEach } from 'vitest'
import { runCommand } from '../../src/cli.ts'

/** The command as it is published: what `tsc -b` built. */
export const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
export const fixtures = fileURLToPath(new URL('../e2e/fixtures', import.meta.url))

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

/** A database, an empty folder to be in, and the command on both. */
export interface CommandBench {
  database(): Database
  folder(): string
  /** Runs to its end: in this process where that shows the same, else as the command that is published. */
  run(args: readonly string[], options?: { env?: NodeJS.ProcessEnv; redis?: boolean }): Promise<Ran>
  /** Runs it, and reads its output as JSON. */
  json<T>(args: readonly string[]): Promise<T>
  /** Starts it; ended with the test. */
  start(args: readonly string[], env?: NodeJS.ProcessEnv, options?: { redis?: boolean }): Child
}

/** Forks processes, prints what the parser has, or reads files by the folder it is in. */
const NEEDS_PROCESS = /^(worker|config|completion|cache|collections)\b|(^| )(--help|-h|--version|-V|--config)\b/

/** Runs the command in this process. `columns` makes its output a terminal of that width. */
export async function runHere(
  words: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; columns?: number } = {},
): Promise<Ran> {
  const { env = {}, cwd = '/', columns } = options
  const text = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr') => ({
    write: (chunk: string) => (text[name] += chunk),
    ...(columns === undefined ? {} : { isTTY: true, columns }),
  })
  const io = { stdout: sink('stdout'), stderr: sink('stderr'), stdin: {}, env, cwd }
  const code = await runCommand(words, io)
  return { code, ...text }
}

/** Runs the command that is published, as a process of its own. */
function runApart(words: readonly string[], options: { env: NodeJS.ProcessEnv; cwd: string }): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...words], options, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    )
    child.stdin?.end()
  })
}

/** Flags stand before what is behind `--`. */
function withFlags(args: readonly string[], ...flags: string[]): string[] {
  const end = args.includes('--') ? args.indexOf('--') : args.length
  return [...args.slice(0, end), ...flags, ...args.slice(end)]
}

export function useCommand(): CommandBench {
  let database: Database
  let folder: string
  const children: Child[] = []
  /** Runs of the test, for its report when it fails. */
  const runs: { args: readonly string[]; ran: Ran }[] = []
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(ARQ_TS_|FORCE_COLOR|NODE_OPTIONS)/.test(name)),
  )

  beforeEach(async () => {
    database = await takeDatabase()
    folder = mkdtempSync(join(tmpdir(), 'arq-ts-cli-'))
  })
  afterEach(async ({ task }) => {
    for (const { args, ran } of runs.splice(0)) {
      if (task.result?.state !== 'fail') continue
      const said = [...ran.stdout.split('\n').slice(-15), ...ran.stderr.split('\n').slice(-15)].filter(Boolean)
      console.error([`arq-ts ${args.join(' ')}: exit ${ran.code}`, ...said].join('\n  '))
    }
    for (const child of children.splice(0)) {
      child.kill('SIGTERM')
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 8_000)
      await child.exited
      clearTimeout(timer)
    }
    await database.release()
    rmSync(folder, { recursive: true, force: true })
  })

  const bench: CommandBench = {
    database: () => database,
    folder: () => folder,
    run: async (args, { env = {}, redis = true } = {}) => {
      const words = redis ? withFlags(args, '--redis', database.url) : args
      const options = { cwd: folder, env: { ...clean, ...env } }
      // Options of Node's are for a process of its own.
      const isHere = !NEEDS_PROCESS.test(args.join(' ')) && env.NODE_OPTIONS === undefined
      const ran = await (isHere ? runHere(words, options) : runApart(words, options))
      runs.push({ args, ran })
      return ran
    },
    json: async (args) => {
      const ran = await bench.run(withFlags(args, '--json'))
      if (ran.stdout === '') throw new Error(`no output of ${args.join(' ')}: ${ran.stderr}`)
      return JSON.parse(ran.stdout) as never
    },
    start(args, env = {}, { redis = true } = {}) {
      const all = [main, ...(redis ? withFlags(args, '--redis', database.url) : args)]
      const child = new Child(process.execPath, all, {
        cwd: folder,
        env: { ...clean, ...env },
      })
      children.push(child)
      return child
    },
  }
  return bench
}
