import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import * as mini from 'zod/mini'
import { ArgumentsError, defineTask, OptionsError } from '../../src/index.ts'
import type { Schema } from '../../src/index.ts'
import { signatureOf } from '../../src/tasks/signature.ts'

const a = z.object({ a: z.string(), b: z.number() })

describe('the positions of parameters', () => {
  test.each<[string, Schema, string[], string[], boolean]>([
    ['an object', a, ['a', 'b'], [], false],
    ['an object of zod mini', mini.object({ b: mini.number(), a: mini.string() }), ['b', 'a'], [], false],
    ['a strict object', z.strictObject({ a: z.string() }), ['a'], [], false],
    ['a loose object', z.looseObject({ a: z.string() }), ['a'], [], true],
    ['an object with a catch-all', a.catchall(z.string()), ['a', 'b'], [], true],
    ['a record', z.record(z.string(), z.number()), [], [], true],
    ['an intersection', a.and(z.object({ c: z.string(), a: z.string() })), ['a', 'b', 'c'], [], false],
    ['a union', z.union([a, z.object({ a: z.string(), c: z.string() })]), ['a'], ['b', 'c'], false],
    ['a union whose options begin with other keys', z.union([a, z.object({ b: z.number() })]), [], ['a', 'b'], false],
    [
      'a discriminated union',
      z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('file'), path: z.string() }),
        z.object({ kind: z.literal('url'), url: z.string() }),
      ]),
      ['kind'],
      ['path', 'url'],
      false,
    ],
    [
      'an intersection with a union',
      z.intersection(z.object({ id: z.string(), b: z.number() }), z.union([a, z.object({ a: z.string() })])),
      ['id', 'a'],
      ['b'],
      false,
    ],
    ['a transform', a.transform(({ b }) => b), ['a', 'b'], [], false],
    ['a pipe', a.pipe(z.transform((value: { a: string; b: number }) => value)), ['a', 'b'], [], false],
    ['a refined and readonly object', a.refine(() => true).readonly(), ['a', 'b'], [], false],
    ['a lazy object', z.lazy(() => a), ['a', 'b'], [], false],
  ])('of %s', (_, schema, positional, keywordOnly, acceptsUnknown) => {
    expect(signatureOf(schema, 'test')).toEqual({ positional, keywordOnly, acceptsUnknown })
  })

  test.each<[string, Schema]>([
    ['an array', z.array(z.string())],
    ['a string', z.string()],
    ['an optional', a.optional()],
    ['a default', a.default({ a: 'x', b: 1 })],
    ['a map', z.map(z.string(), z.string())],
    ['a string', z.union([a, z.string()])],
    ['a preprocessed schema', z.preprocess((value) => value, a)],
  ])('do not exist in %s, which defineTask refuses', (type, params) => {
    const define = () => defineTask({ name: 'f', params, handler: () => 1 })
    expect(define).toThrow(OptionsError)
    expect(define).toThrow('defineTask: expected `params` to be an object, an intersection or union of objects')
    expect(define).toThrow(`got ${type}: `)
  })

  test('are refused in a schema that contains itself', () => {
    const endless: z.ZodType = z.lazy(() => z.union([a, endless]))
    expect(() => defineTask({ name: 'f', params: endless, handler: () => 1 })).toThrow('within itself')
  })
})

describe('a union as parameters', () => {
  const task = defineTask({
    name: 'fetch',
    params: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('file'), path: z.string() }),
      z.object({ kind: z.literal('url'), url: z.string(), tries: z.number().default(1) }),
    ]),
    handler: (_ctx, params) => params.kind,
  })

  test('binds what all options share by position, and the rest by name', () => {
    expect(task.bind(['file'], { path: 'a' })).toEqual([{ kind: 'file', path: 'a' }])
    expect(task.bind([], { kind: 'url', url: 'u' })).toEqual([{ kind: 'url', url: 'u', tries: 1 }])
  })

  test.each<[string, unknown[], Record<string, unknown>]>([
    ["fetch() missing 1 required argument: 'path'", ['file'], {}],
    ['fetch() takes 1 positional argument but 2 were given', ['file', 'a'], {}],
    ["got an unexpected keyword argument 'x'; it takes 'kind', 'path', 'url', 'tries'", ['file'], { x: 1 }],
    ['`kind`', ['ftp'], {}],
  ])('refuses in the words of Python: %s', (message, args, kwargs) => {
    expect(() => task.bind(args, kwargs)).toThrow(ArgumentsError)
    expect(() => task.bind(args, kwargs)).toThrow(message)
  })
})
