import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { importScript } from './scripts.ts'

type Lock = { importers: object; snapshots: object }
const { digestOf } = await importScript<{ digestOf: (folders: string[]) => string }>('packages/pack.mjs')
const { overridesOf, lockedDependencies } = await importScript<{
  overridesOf: (lock: Lock, folders: string[]) => Record<string, string>
  lockedDependencies: () => { types: string; overrides: Record<string, string> }
}>('packages/versions.mjs')

let folder: string
const write = (file: string, text: string) => {
  mkdirSync(dirname(join(folder, file)), { recursive: true })
  writeFileSync(join(folder, file), text)
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arq-ts-package-'))
  const files = ['dist', '!dist/**/*.tsbuildinfo', 'src', 'assets', 'router.py', 'README.md', 'LICENSE', 'CHANGELOG.md']
  write('package.json', JSON.stringify({ name: 'sample', files }))
  write('tsconfig.json', '{}')
  write('src/index.ts', 'export const answer: number = 42\n')
  write('src/deep/part.ts', 'export {}\n')
  write('router.py', 'pass\n')
  write('README.md', '# sample\n')
  write('LICENSE', 'MIT\n')
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('the key of the packed tarballs', () => {
  test.each(['package.json', 'tsconfig.json', 'src/index.ts', 'src/deep/part.ts', 'router.py', 'README.md', 'LICENSE'])(
    'changes with %s',
    (file) => {
      const before = digestOf([folder])
      appendFileSync(join(folder, file), ' ')
      expect(digestOf([folder])).not.toBe(before)
    },
  )

  test('does not change with what is built', () => {
    const before = digestOf([folder])
    write('dist/index.js', 'export const answer = 42\n')
    expect(digestOf([folder])).toBe(before)
  })
})

describe('versions of packages installed with the tarballs', () => {
  test('are those of the lock, through all that the packages depend on', () => {
    const lock = {
      importers: {
        one: {
          dependencies: { two: { version: 'link:../two' }, logger: { version: '1.2.0(peer@3.0.0)' } },
          devDependencies: { tester: { version: '9.0.0' } },
        },
        two: { dependencies: { text: { version: '2.0.0' } } },
      },
      snapshots: {
        'logger@1.2.0(peer@3.0.0)': { dependencies: { text: '1.0.0' }, optionalDependencies: { native: '4.0.0' } },
        'text@1.0.0': {},
        'text@2.0.0': { dependencies: { text: '1.0.0' } },
        'native@4.0.0': {},
        'tester@9.0.0': {},
      },
    }
    expect(overridesOf(lock, ['one', 'two'])).toEqual({
      'logger@1.2.0': '1.2.0',
      'text@1.0.0': '1.0.0',
      'text@2.0.0': '2.0.0',
      'native@4.0.0': '4.0.0',
    })
  })

  test('are exact in this workspace', () => {
    const { types, overrides } = lockedDependencies()
    expect(types).toMatch(/^@types\/node@\d+\.\d+\.\d+$/)
    expect(Object.keys(overrides).some((key) => key.startsWith('ioredis@'))).toBe(true)
    for (const version of Object.values(overrides)) expect(version).toMatch(/^\d+\.\d+\.\d+/)
  })
})
