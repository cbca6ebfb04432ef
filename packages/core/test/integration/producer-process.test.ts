import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

const run = promisify(execFile)
const core = fileURLToPath(new URL('../..', import.meta.url))
/** The package as published, in a folder below the package, where it finds its dependencies, and which no check reads. */
const cache = join(core, '.cache')
mkdirSync(cache, { recursive: true })
const published = mkdtempSync(join(cache, 'published-'))
const client = pathToFileURL(join(published, 'client/index.js')).href

beforeAll(() => run(process.execPath, [join(core, '../../scripts/bundle.mjs'), '--out', published, core]))
afterAll(() => rmSync(published, { recursive: true }))

let database: Database
beforeEach(async () => void (database = await takeDatabase()))
afterEach(() => database.release())

/** Runs a module in a Node that refuses to load these packages. */
async function runWithout(packages: readonly string[], source: string): Promise<string> {
  const hook = `const refused = ${JSON.stringify(packages)}
  export async function resolve(name, context, next) {
    if (refused.some((each) => name === each || name.startsWith(each + '/'))) throw new Error('imports ' + name)
    return next(name, context)
  }`
  const url = `data:text/javascript,${encodeURIComponent(hook)}`
  const start = `import { register } from 'node:module'; register(${JSON.stringify(url)})`
  const preload = `data:text/javascript,${encodeURIComponent(start)}`
  const { stdout } = await run(process.execPath, ['--import', preload, '--input-type=module', '-e', source], {
    cwd: core,
  })
  return stdout
}

const HEAVY = ['zod', 'pino', 'pino-pretty', 'croner', '@opentelemetry/api', 'yaml', 'smol-toml', 'parse-duration']

test('a producer without schemas enqueues in a process that has none of the packages of a worker', async () => {
  const stdout = await runWithout(
    HEAVY,
    `import { Client, defineContract } from '${client}'
    const client = new Client({ redis: '${database.url}' })
    const jobs = await Promise.all([
      client.enqueue('by_name', [1], { jobId: 'a' }),
      client.enqueue(defineContract({ name: 'by_contract' }), [2], { jobId: 'b' }),
    ])
    console.log(JSON.stringify(await Promise.all(jobs.map((job) => job.status()))))
    await client.close()`,
  )
  expect(stdout).toBe('["queued","queued"]\n')
})

test('a line that the client logs loads pino then, and is complete', async () => {
  const source = `import { Client } from '${client}'
    const client = new Client({ redis: 'redis://localhost:1' })
    process.once('SIGTERM', () => client.close())`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source])
  const [line] = (await once(createInterface(child.stderr), 'line')) as [string]
  child.kill('SIGTERM')
  const [code] = (await once(child, 'exit')) as [number]
  expect([code, JSON.parse(line)]).toMatchObject([
    0,
    { level: 40, msg: expect.stringContaining('localhost:1 cannot be opened') as string },
  ])
})
