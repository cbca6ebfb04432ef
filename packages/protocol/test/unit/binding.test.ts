import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ArgumentsError } from '../../src/errors.ts'
import { bindArguments } from '../../src/jobs/binding.ts'

const bind = (args: unknown[], kwargs: Record<string, unknown> = {}, acceptsUnknown = false) =>
  bindArguments('resize', ['path', 'width'], args, kwargs, acceptsUnknown)

describe('arguments are bound as Python binds them', () => {
  test.each<[string, unknown[], Record<string, unknown>, Record<string, unknown>]>([
    ['by position', ['a', 1], {}, { path: 'a', width: 1 }],
    ['by name, in any order', [], { width: 1, path: 'a' }, { path: 'a', width: 1 }],
    ['mixed', ['a'], { width: 1 }, { path: 'a', width: 1 }],
    ['and stay missing where they are missing', [], { width: 1 }, { width: 1 }],
    ['and stay None where they are None', [null], {}, { path: null }],
  ])('%s', (_, args, kwargs, bound) => {
    expect(bind(args, kwargs)).toEqual(bound)
  })

  test.each<[string, () => unknown]>([
    ['resize() takes 2 positional arguments but 3 were given', () => bind([1, 2, 3])],
    ['one() takes 1 positional argument but 2 were given', () => bindArguments('one', ['a'], [1, 2], {}, false)],
    ['none() takes 0 positional arguments but 1 was given', () => bindArguments('none', [], [1], {}, false)],
    ["resize() got multiple values for argument 'path'", () => bind(['a'], { path: 'b' })],
    ["resize() got an unexpected keyword argument 'x'; it takes 'path', 'width'", () => bind([], { x: 1 })],
    [
      "none() got an unexpected keyword argument 'x'; it takes none",
      () => bindArguments('none', [], [], { x: 1 }, false),
    ],
    ["got an unexpected keyword argument 'toString'", () => bind([], { toString: 1 })],
  ])('refuses a call that does not fit: %s', (message, call) => {
    expect(call).toThrow(ArgumentsError)
    expect(call).toThrow(message)
  })

  test('unknown keywords pass where they are accepted, and none reaches a prototype', () => {
    const hostile = JSON.parse('{"__proto__": {"admin": true}, "constructor": 1}') as Record<string, unknown>
    const bound = bind(['a'], hostile, true)
    expect(Object.keys(bound)).toEqual(['path', '__proto__', 'constructor'])
    expect(Object.getPrototypeOf(bound)).toBe(Object.prototype)
    expect('admin' in bound).toBe(false)
  })

  test('a name of any length makes a short message', () => {
    expect(() => bind([], { ['x'.repeat(1_000_000)]: 1 })).toThrow(/^.{0,300}$/)
  })

  test('the same arguments are bound however a call splits them', () => {
    const names = ['a', 'b', 'c', 'd']
    fc.assert(
      fc.property(fc.array(fc.anything(), { maxLength: 4 }), fc.nat(4), (values, split) => {
        const kwargs = Object.fromEntries(
          values
            .map((value, i) => [names[i] as string, value])
            .slice(split)
            .toReversed(),
        )
        const bound = bindArguments('f', names, values.slice(0, split), kwargs, false)
        expect(values.every((value, i) => Object.is(bound[names[i] as string], value))).toBe(true)
        expect(Object.keys(bound)).toHaveLength(values.length)
      }),
    )
  })
})
