import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { ArqError, FailedJobsError, RemoteError, Retry } from '../../src/index.ts'

type Kind = new (...args: unknown[]) => ArqError

const packages = fileURLToPath(new URL('../../../', import.meta.url))

/** The entry of every package that is published; core's is the one the others build on. */
const entries = readdirSync(packages)
  .filter((name) => existsSync(`${packages}${name}/src/index.ts`))
  .filter((name) => !/"private": true/.test(readFileSync(`${packages}${name}/package.json`, 'utf8')))
  .map((name) => `${packages}${name}/src/index.ts`)

/** Every error there is, by its class name. */
const errors: [string, ArqError][] = []
for (const entry of entries) {
  const exported = (await import(entry)) as Record<string, unknown>
  for (const [name, value] of Object.entries(exported)) {
    if (typeof value !== 'function' || !(value.prototype instanceof ArqError)) continue
    const args: Record<string, unknown[]> = { ConfigError: [[]], FailedJobsError: [1, []], Retry: [] }
    errors.push([name, new (value as Kind)(...(args[name] ?? ['x']))])
  }
}
/** Every code that a source names as an error's own. */
const codes = entries
  .map((entry) => dirname(entry))
  .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)))
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/readonly code(?:: string)? = '(\w+)'/g)].map(([, code]) => code),
  )

describe('an error', () => {
  test.each(errors)('%s has its name, and a code of its own', (name, error) => {
    expect(error).toBeInstanceOf(Error)
    expect(error.name).toBe(name)
    expect(error.code).toMatch(/^ARQ_[A-Z_]+$/)
    expect(errors.filter(([, other]) => other.code === error.code)).toHaveLength(1)
  })
})

test('each error is exported by its package, for `instanceof`', () => {
  expect(errors.map(([, { code }]) => code).toSorted()).toEqual(codes.toSorted())
})

describe('the reference page', () => {
  const page = readFileSync(new URL('../../../../docs/reference/errors.md', import.meta.url), 'utf8')
  const sections = page.split(/^## /m).slice(1)

  test('lists exactly the errors there are, in order', () => {
    const listed = sections.map((section) => /^`(ARQ_[A-Z_]+)`\n`(\w+)`\. /.exec(section)?.slice(1))
    expect(listed).toEqual(errors.map(([name, { code }]) => [code, name]).toSorted())
  })

  test.each(sections.map((section) => [section.slice(0, section.indexOf('\n')), section]))(
    'says what to do: %s',
    (_, section) => {
      expect(section).toContain('\n**Do:** ')
    },
  )
})

describe('a retry', () => {
  test("says so in arq's words", () => {
    expect(new Retry({ deferMs: 5_000 }).message).toBe('<Retry defer 5.00s>')
    expect(new Retry().message).toBe('<Retry defer 0.00s>')
  })

  test('has whole milliseconds, and keeps its cause', () => {
    const cause = new Error('busy')
    expect(new Retry({ deferMs: 1.6, cause })).toMatchObject({ deferMs: 2, cause })
    expect(Object.hasOwn(new Retry(), 'cause')).toBe(false)
  })
})

describe('a remote error', () => {
  test.each([
    ['builtins.ValueError', ['bad'], 'ValueError: bad', 'builtins'],
    ['app.errors.Outer', [], 'Outer', 'app.errors'],
    ['ValueError', [1, null], 'ValueError: (1, None)', 'builtins'],
    ['KeyError', ['missing'], "KeyError: 'missing'", 'builtins'],
  ])('%s%j is shown as %s', (pythonType, args, message, module) => {
    expect(new RemoteError(pythonType, args)).toMatchObject({ pythonType, args, message, module })
  })

  test('shows arguments that are not strings', () => {
    expect(new RemoteError('builtins.ValueError', [Object.create(null)]).message).toBe('ValueError: {}')
  })
})

test('failed jobs are counted, with their reasons', () => {
  expect(new FailedJobsError(1, ['x: bad']).message).toBe('1 job failed: x: bad')
  expect(new FailedJobsError(2, ['x: bad', 'y: worse'])).toMatchObject({
    count: 2,
    message: '2 jobs failed:\nx: bad\ny: worse',
  })
})
