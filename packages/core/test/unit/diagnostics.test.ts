import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../../..')

const preamble = `
import { Client, defineContract, defineTask, implement, pythonTask, Worker } from '@arq-ts/core'
import type { AnyTask, JobContext, WorkerOptions } from '@arq-ts/core'
import { z } from 'zod'
import * as mini from 'zod/mini'
declare const client: Client
const params = z.object({ path: z.string(), width: z.number().int().default(800) })
const resize = defineTask({ name: 'resize', params, handler: (_ctx, { path }) => path })
const plain = defineTask({ name: 'plain', handler: (_ctx, a: number, b?: string) => \`\${a}\${b}\` })
const small = defineTask({ name: 'small', params: mini.object({ a: mini.string() }), handler: (_ctx, { a }) => a })
const union = defineContract({
  name: 'union',
  params: z.discriminatedUnion('kind', [z.object({ kind: z.literal('a'), n: z.number() }), z.object({ kind: z.literal('b') })]),
  returns: z.string(),
})
const needy = defineTask({ name: 'needy', params, handler: (ctx: JobContext<{ db: Map<string, number> }>) => ctx.db.size })
const python = pythonTask({ name: 'python', params: z.object({ at: z.date() }), returns: z.bigint() })
`

/** A wrong line, the place in it where the compiler points, and what it says. */
const cases: [line: string, at: string, message: RegExp][] = [
  ['client.enqueue(resize, { path: 1 })', 'path: 1', /'number' is not assignable to type 'string'/],
  ["client.enqueue(resize, { path: 'a', widht: 1 })", 'widht', /'widht' does not exist.*Did you mean to write 'width'/],
  ["client.enqueue(resize, { path: 'a', width: '1' })", 'width', /'string' is not assignable to type 'number/],
  ['client.enqueue(resize, {})', '{}', /'path' is missing/],
  ['client.enqueue(resize)', 'enqueue', /Expected 2-3 arguments, but got 1/],
  ["client.enqueue(resize, { path: 'a' }, { defer: 1 })", 'defer', /'defer' does not exist in type 'EnqueueOptions'/],
  [
    "client.enqueue(resize, { path: 'a' }, { deferByMs: '1' })",
    'deferByMs',
    /'string' is not assignable to type 'number/,
  ],
  ["client.enqueue(plain, ['a'])", "'a'", /'string' is not assignable to type 'number'/],
  ['client.enqueue(small, { a: 1 })', 'a: 1', /'number' is not assignable to type 'string'/],
  ["client.enqueue(union, { kind: 'a', n: 'x' })", 'n:', /'string' is not assignable to type 'number'/],
  ["client.enqueue(python, { at: '2026' })", 'at:', /'string' is not assignable to type 'Date'/],
  ["client.enqueue('by_name', { a: 1 })", 'a: 1', /'a' does not exist in type 'readonly unknown\[\]'/],
  ['client.enqueueMany([[resize, { path: 1 }]])', 'path: 1', /'number' is not assignable to type 'string'/],
  ["defineTask({ name: 'f', params, maxTries: 'x', handler: () => 1 })", 'maxTries', /'string' is not assignable/],
  ["defineTask({ name: 'f', params, handler: (_ctx, { size }) => size })", 'size }', /'size' does not exist/],
  ["defineTask({ name: 'f', params, returns: z.string(), handler: () => 1 })", '1 })', /'number' is not assignable/],
  ['new Worker({ tasks: [needy] })', 'needy', /not assignable/],
  ['new Worker({ tasks: [resize, needy], onStartup: () => {} })', 'needy', /not assignable/],
  ['new Worker({ tasks: [needy], onStartup: async () => ({ db: 1 }) })', 'needy', /not assignable/],
  ['new Worker({ tasks: [needy], ctx: { db: 1 } })', 'needy', /not assignable/],
  ['implement(union, (_ctx, { kind }) => kind.length)', 'kind.length', /'number' is not assignable/],
  ['implement(union, (_ctx, { kind }) => kind, { retries: 3 })', 'retries', /'retries' does not exist/],
]

/** Lines that compile, each checked for the type it gives. */
const right = `
type Of<T> = T extends Promise<{ result(): Promise<infer R> } | null> ? R : never
const string = (value: string) => value
export async function right() {
  const a = client.enqueue(resize, { path: 'a' }); string(null! as Of<typeof a>)
  const b = client.enqueue<number>('f', [1], { kwargs: {} }); (null! as Of<typeof b>).toFixed()
  const c = client.enqueue(union, { kind: 'a', n: 1 }); string(null! as Of<typeof c>)
  const d = client.enqueue(python, { at: new Date() }); BigInt.asIntN(64, null! as Of<typeof d>)
  const [e] = await client.enqueueMany([[plain, [1, 'x']]]); e.status.length
  await client.enqueue('by_name')
  new Worker({ tasks: [resize, plain] })
  new Worker({ tasks: [resize, needy], onStartup: async () => ({ db: new Map<string, number>() }) })
  new Worker({ tasks: [needy], ctx: { db: new Map<string, number>() }, onStartup: (ctx) => { ctx.db.clear() } })
  new Worker<{ db: Map<string, number> }>({ tasks: [needy], onStartup: (ctx) => { ctx.db = new Map() } })
  new Worker({ tasks: [needy] as AnyTask[] })
  new Worker(null! as WorkerOptions)
  const worker: Worker = new Worker({ tasks: [needy], ctx: { db: new Map<string, number>() } })
  await worker.run()
}
`

describe('the compiler', () => {
  const folder = mkdtempSync(join(tmpdir(), 'arq-ts-diagnostics-'))
  let diagnostics: { line: number; column: number; text: string }[]
  beforeAll(async () => {
    mkdirSync(join(folder, 'node_modules/@arq-ts'), { recursive: true })
    symlinkSync(join(root, 'packages/core'), join(folder, 'node_modules/@arq-ts/core'))
    symlinkSync(join(root, 'packages/core/node_modules/zod'), join(folder, 'node_modules/zod'))
    symlinkSync(join(root, 'node_modules/@types'), join(folder, 'node_modules/@types'))
    const options = { noEmit: true, composite: false, noUnusedLocals: false, allowImportingTsExtensions: true }
    const config = {
      extends: join(root, 'tsconfig.base.json'),
      compilerOptions: options,
      files: ['wrong.ts', 'right.ts'],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'right.ts'), preamble + right)
    writeFileSync(join(folder, 'wrong.ts'), preamble + cases.map(([line]) => `void ${line}`).join('\n'))
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
      cwd: folder,
    }).catch((error: { stdout: string }) => error)
    diagnostics = stdout.split(/\n(?=\S)/).flatMap((text) => {
      const [, file, line, column] = /^(\w+)\.ts\((\d+),(\d+)\)/.exec(text) ?? []
      return [{ line: file === 'wrong' ? Number(line) : 0, column: Number(column) - 'void '.length - 1, text }]
    })
  }, 60_000)
  afterAll(() => rmSync(folder, { recursive: true }))

  test.each(cases)('points at the wrong field of %s', (line, at, message) => {
    const number = preamble.split('\n').length + cases.findIndex(([each]) => each === line)
    const found = diagnostics.filter((each) => each.line === number)
    expect(found).toHaveLength(1)
    expect(found[0]!.text).toMatch(message)
    expect(line.slice(found[0]!.column).startsWith(at)).toBe(true)
  })

  test('accepts what is right, and knows the results', () => {
    expect(diagnostics.filter(({ line, text }) => line === 0 && text.trim() !== '')).toEqual([])
  })
})
