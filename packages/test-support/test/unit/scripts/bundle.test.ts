import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { scriptPath } from './scripts.ts'

const run = promisify(execFile)
let folder: string
const write = (file: string, text: string) => {
  mkdirSync(dirname(join(folder, file)), { recursive: true })
  writeFileSync(join(folder, file), text)
}
const read = (file: string) => readFileSync(join(folder, file), 'utf8')

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arq-ts-package-'))
  const manifest = {
    name: 'sample',
    type: 'module',
    files: ['dist', 'src'],
    publishConfig: { exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } } },
  }
  write('package.json', JSON.stringify(manifest))
  write('src/index.ts', 'export const answer: number = 42\n')
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('bundles in place of modules', () => {
  const bundle = (...args: string[]) => run(process.execPath, [scriptPath('bundle.mjs'), ...args, folder])
  /** As `tsc -b` does. */
  const build = (declarations: string) => {
    write('dist/index.d.ts', declarations)
    write('dist/index.js', 'export const answer = 42\n')
    write('dist/.tsbuildinfo', '{}')
  }

  test('are taken away again', async () => {
    build('export declare const answer: number\n')
    await bundle()
    expect(existsSync(join(folder, 'dist/.tsbuildinfo'))).toBe(false)
    expect(read('dist/index.d.ts')).toBe('export declare const answer: number\n')
    await bundle('--restore')
    expect(existsSync(join(folder, 'dist/.tsbuildinfo'))).toBe(true)
    expect(existsSync(join(folder, '.dist-modules'))).toBe(false)
  })

  test('keep the newer declarations when a pack was killed and the package was built anew', async () => {
    build('export declare const old: number\n')
    await bundle()
    build('export declare const answer: number\n')
    await bundle()
    expect(read('dist/index.d.ts')).toBe('export declare const answer: number\n')
    await bundle('--restore')
    expect(read('dist/index.d.ts')).toBe('export declare const answer: number\n')
    expect(existsSync(join(folder, '.dist-modules'))).toBe(false)
  })

  test('give way to the modules when a pack was killed and nothing was built since', async () => {
    build('export declare const answer: number\n')
    await bundle()
    await bundle()
    await bundle('--restore')
    expect(existsSync(join(folder, 'dist/.tsbuildinfo'))).toBe(true)
    expect(read('dist/index.js')).toBe('export const answer = 42\n')
  })
})

describe('bundles over the entries', () => {
  const bundle = (...args: string[]) => run(process.execPath, [scriptPath('bundle.mjs'), ...args, folder])

  test('replace these alone, leave the state of the build, and are taken away again', async () => {
    const manifest = JSON.parse(read('package.json')) as { publishConfig: { exports: object } }
    write('package.json', JSON.stringify({ ...manifest, exports: manifest.publishConfig.exports }))
    write('src/index.ts', "export const answer: number = 42\nexport const late = () => import('./late.ts')\n")
    write('src/late.ts', 'export const late: boolean = true\n')
    const built = { 'dist/index.js': '// compiled\n', 'dist/late.js': '// compiled\n', 'dist/.tsbuildinfo': '{}' }
    for (const [file, text] of Object.entries(built)) write(file, text)
    const files = () => readdirSync(join(folder, 'dist')).sort()
    const before = files()
    await bundle('--over')
    expect(read('dist/index.js')).toContain('answer = 42')
    expect(read('dist/late.js')).toBe(built['dist/late.js'])
    expect(read('dist/.tsbuildinfo')).toBe('{}')
    await bundle('--over') // once more, as after a check that was killed
    await bundle('--under')
    expect(files()).toEqual(before)
    for (const [file, text] of Object.entries(built)) expect(read(file)).toBe(text)
  })

  test('leave nothing old where a check was killed and `tsc -b` has run since: it builds all anew', async () => {
    const manifest = JSON.parse(read('package.json')) as { publishConfig: { exports: object } }
    write('package.json', JSON.stringify({ ...manifest, exports: manifest.publishConfig.exports }))
    write('dist/index.js', '// compiled\n')
    write('dist/.tsbuildinfo', '{}')
    await bundle('--over')
    write('dist/index.js', '// compiled since\n')
    write('dist/.tsbuildinfo', '{}')
    await bundle('--under')
    expect(existsSync(join(folder, 'dist/.tsbuildinfo'))).toBe(false)
    expect(existsSync(join(folder, '.dist-covered'))).toBe(false)
  })
})

describe('a bundle with packages of others inside', () => {
  test('is the only one that has them: classes of two copies are not the same', async () => {
    write('src/index.ts', "import type { Redis } from 'ioredis'\nexport let redis: Redis\n")
    const bundle = () => run(process.execPath, [scriptPath('bundle.mjs'), '--out', join(folder, 'out'), folder])
    await bundle()
    write(
      'src/index.ts',
      "import { Cluster } from 'ioredis'\nexport const isCluster = (x: unknown) => x instanceof Cluster\n",
    )
    await expect(bundle()).rejects.toThrow('sample imports ioredis, of which @arq-ts/core has a copy inside')
  })

  test('has the licenses of all of them next to it', async () => {
    const core = fileURLToPath(new URL('../../../../core', import.meta.url))
    await run(process.execPath, [scriptPath('bundle.mjs'), '--out', folder, core])
    const maps = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.map'))
    const sources = maps.flatMap((file) => (JSON.parse(read(file)) as { sources: string[] }).sources)
    const inside = new Set(
      sources.flatMap((source) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? []),
    )
    expect([...inside]).toEqual(expect.arrayContaining(['ioredis', 'redis-errors', 'zod']))
    const parts = read('licenses.txt').split(`\n${'-'.repeat(80)}\n\n`)
    expect(parts.map((part) => part.slice(0, part.indexOf(' ')))).toEqual(expect.arrayContaining([...inside]))
    for (const part of parts)
      expect(part).toMatch(/Permission is hereby granted|Permission to use, copy|License: MIT|Apache/)
  })
})
