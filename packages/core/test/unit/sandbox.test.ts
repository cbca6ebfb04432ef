import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { defineContract, defineTask, implement, Retry, SandboxDiedError, SandboxMemoryError } from '../../src/index.ts'
import type { InputOf, ResultOf, SandboxHandler } from '../../src/index.ts'
import { packError, problemOf, unpackError } from '../../src/sandbox/crossing.ts'
import { errorOfEnd, loadError, startPauseMs } from '../../src/sandbox/ends.ts'
import { nodeFlags } from '../../src/sandbox/node-flags.ts'
import { Pieces } from '../../src/sandbox/pieces.ts'
import { resolveSandbox } from '../../src/sandbox/sandbox.ts'

const module = new URL('../fixtures/sandbox-acts.mjs', import.meta.url)

describe('a value', () => {
  class Point {
    readonly x = 1
  }

  test.each([
    [{ a: [1, 'x', null, undefined, true, 2n] }],
    [new Map([[{ a: 1 }, new Set([new Date(0), /x/])]])],
    [[new Uint8Array(2), Buffer.from('x'), new ArrayBuffer(1), new TypeError('x')]],
    [Object.create(null)],
  ])('crosses: %o', (value) => {
    expect(problemOf(value)).toBeUndefined()
  })

  test('crosses that holds itself', () => {
    const circle: unknown[] = []
    circle.push(circle)
    expect(problemOf(circle)).toBeUndefined()
  })

  test.each([
    [() => 1, '`the value`: a function'],
    [{ items: [0, { run: () => 1 }] }, '`items.1.run`: a function'],
    [{ id: Symbol('x') }, '`id`: a symbol'],
    [[new Point()], '`0`: an instance of Point'],
    [new Map([['k', new Point()]]), '`k`: an instance of Point'],
    [{ later: Promise.resolve() }, '`later`: an instance of Promise'],
  ])('does not cross, and its place is named: %o', (value, problem) => {
    expect(problemOf(value)).toBe(problem)
  })
})

describe('an error', () => {
  const over = (error: unknown) => unpackError(structuredClone(packError(error)))

  test('keeps its name, message, stack, code, fields and causes', () => {
    const error = Object.assign(new RangeError('far', { cause: new Error('near') }), { code: 'E_FAR', about: { n: 1 } })
    const there = over(error)
    expect(there).toMatchObject({
      name: 'RangeError',
      message: 'far',
      stack: error.stack,
      code: 'E_FAR',
      about: { n: 1 },
    })
    expect(there.cause).toMatchObject({ message: 'near' })
    expect(over(new Retry({ deferMs: 5 }))).toMatchObject({ code: 'ARQ_RETRY', deferMs: 5 })
  })

  test.each([
    ['text', 'text'],
    [null, 'null'],
    [undefined, 'undefined'],
  ])('may be anything: %o', (thrown, message) => {
    expect(over(thrown).message).toBe(message)
  })

  test('leaves out fields that do not cross, and survives one that cannot be read', () => {
    expect(over(Object.assign(new Error('x'), { run: () => 1, n: 2 }))).toMatchObject({ message: 'x', n: 2 })
    const hostile = new Proxy(new Error('x'), {
      ownKeys: () => {
        throw new Error('no')
      },
    })
    expect(over(hostile).message).toBe('an error that cannot be read was thrown')
  })
})

describe('the end of a thread or process', () => {
  const sandbox = resolveSandbox({ module, memoryMb: 64 })
  const end = { exitCode: null, signal: null, error: undefined, isOutOfMemory: false, killedFor: undefined }

  test.each([
    [{ ...end, exitCode: 3 }, 'ended with exit code 3 before the job ended'],
    [{ ...end, signal: 'SIGSEGV' as const }, 'was killed by SIGSEGV'],
    [{ ...end, signal: 'SIGKILL' as const }, 'was killed by SIGKILL; the system does so when its memory is used up'],
    [{ ...end, exitCode: 1, error: new TypeError('x') }, 'ended by an error that nobody caught: TypeError: x'],
    [{ ...end, exitCode: 1, killedFor: 'it was late' }, 'was killed: it was late'],
  ])('is the error of its job: %o', (how, message) => {
    const error = errorOfEnd(how, sandbox)
    expect(error).toBeInstanceOf(SandboxDiedError)
    expect(error).toMatchObject({ exitCode: how.exitCode, signal: how.signal })
    expect(error.message).toContain(message)
  })

  test('names the memory bound that it broke', () => {
    const error = errorOfEnd({ ...end, signal: 'SIGABRT', isOutOfMemory: true }, sandbox)
    expect(error).toBeInstanceOf(SandboxMemoryError)
    expect(error.message).toBe('the process of the job took more than its 64 MiB (sandbox.memoryMb)')
  })

  test('names path and cause of a module that does not load', () => {
    const error = loadError('ocr', sandbox, new SyntaxError('unexpected token'))
    expect(error.message).toMatch(
      /^the sandbox of 'ocr' cannot start: its module "\/.*sandbox-acts\.mjs" fails to load in a process: SyntaxError: unexpected token$/,
    )
  })
})

test('starts that fail are followed by a pause that doubles, up to 30 seconds', () => {
  expect([1, 2, 3, 7, 60].map(startPauseMs)).toEqual([500, 1_000, 2_000, 30_000, 30_000])
})

test('a sandbox gets the flags of Node by which modules load, and no others', () => {
  const flags = [
    '--inspect=9229',
    '--import',
    'tsx',
    '--max-old-space-size=90',
    '-r',
    './x.cjs',
    '--loader=y',
    '-e',
    'code',
  ]
  expect(nodeFlags(flags)).toEqual(['--import', 'tsx', '-r', './x.cjs', '--loader=y'])
})

describe('a sandboxed task', () => {
  const params = z.object({ path: z.string(), width: z.number().default(8) })
  const contract = defineContract({ name: 'resize', params, returns: z.object({ bytes: z.number() }) })

  test('has the types of its schemas, and its module those of the contract', () => {
    const made = implement(contract, { sandbox: { module }, maxTries: 2 })
    expectTypeOf<InputOf<typeof made>>().toEqualTypeOf<z.input<typeof params>>()
    expectTypeOf<ResultOf<typeof made>>().toEqualTypeOf<{ bytes: number }>()
    const handler = ((ctx, { width }) => {
      expectTypeOf(ctx.jobTry).toEqualTypeOf<number>()
      expectTypeOf(ctx.disk).toEqualTypeOf<string>()
      return { bytes: width }
    }) satisfies SandboxHandler<typeof contract, { disk: string }>
    expectTypeOf(handler).returns.toEqualTypeOf<{ bytes: number }>()
    const defined = defineTask({ name: 'f', params, sandbox: { module } })
    expectTypeOf<ResultOf<typeof defined>>().toEqualTypeOf<unknown>()
  })

  test.each<[object, string]>([
    [{ module: './ocr.js' }, 'Expected `sandbox.module` to be a `file:` URL or an absolute path, got `"./ocr.js"`'],
    [{ module: new URL('https://x.test/a.js') }, 'a `file:` URL or an absolute path'],
    [{ module, kind: 'vm' }, "`sandbox.kind` to be 'process' or 'thread'"],
    [{ module, memoryMb: 1 }, '`sandbox.memoryMb`'],
    [{ module, memory: 64 }, 'did you mean `memoryMb`'],
    [{}, '`sandbox.module`'],
  ])('names the option that is wrong: %o', (sandbox, message) => {
    expect(() => defineTask({ name: 'f', sandbox: sandbox as never })).toThrow(message)
  })

  test('has no handler and no chunk', () => {
    const sandbox = { module }
    const both = { name: 'f', sandbox, handler: () => 1 } as never
    expect(() => defineTask(both)).toThrow('give `handler` or `sandbox`, not both: its module exports the handler')
    const chunked = { sandbox, chunk: { size: 2, waitMs: 1 } } as never
    expect(() => implement(contract, chunked)).toThrow('give `chunk` or `sandbox`, not both')
  })

  test('runs in this process outside of a worker', async () => {
    const task = defineTask({ name: 'f', sandbox: { module } })
    expect(await task.handler({} as never, { act: 'echo', value: 5 })).toBe(5)
    expect(await task.handler({ jobId: 'a' } as never, { act: 'context' })).toMatchObject({ greeting: 'hello' })
  })
})

describe('the pieces of a result', () => {
  function crossing() {
    const posted: number[] = []
    return { posted, pieces: new Pieces((piece) => posted.push(piece)) }
  }

  test('are waited for until the worker has taken or refused them', async () => {
    const { pieces, posted } = crossing()
    const [first, second] = [pieces.emit('a'), pieces.emit('b')]
    expect(posted).toEqual([1, 2])
    pieces.answered(2, new RangeError('too large'))
    await expect(second).rejects.toThrow('too large')
    expect(await Promise.race([first.then(() => 'taken'), Promise.resolve('open')])).toBe('open')
    pieces.answered(1, undefined)
    await first
    pieces.answered(1, undefined) // of a job before
  })

  test('are at most 4 MiB on their way, whatever a handler does not await', async () => {
    const { pieces, posted } = crossing()
    const emitted = Array.from({ length: 6 }, () => pieces.emit('x'.repeat(1_048_574)))
    expect(posted).toEqual([1, 2, 3, 4])
    await expect(emitted[4]).rejects.toThrow('4194304 bytes are on their way to the worker; await each call')
    pieces.answered(1, undefined)
    void pieces.emit('y')
    expect(posted).toEqual([1, 2, 3, 4, 5])
  })

  test('are bounded in number, too: a million small ones are no small thing', async () => {
    const { pieces, posted } = crossing()
    for (let i = 0; i < 65_536; i++) void pieces.emit(undefined)
    await expect(pieces.emit(1)).rejects.toThrow('await each call')
    expect(posted).toHaveLength(65_536)
  })
})
