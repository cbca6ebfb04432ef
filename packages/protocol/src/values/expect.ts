import { OptionsError } from '../errors/wire-errors.ts'
import { shown } from './expect-argument.ts'

/**
 * Refuses what a constructor of a Python value cannot take: a pickle made of it would be unreadable for Python.
 *
 * @throws OptionsError that says what was expected, what came, and how the value is made.
 */
export function expectThat(isRight: boolean, expected: string, got: unknown, example: string): asserts isRight {
  if (!isRight) throw new OptionsError(`Expected ${expected}, got \`${shown(got)}\`; write \`${example}\``)
}

/** Refuses what is no integer from `min` to `max`. @throws OptionsError */
export function expectInteger(name: string, value: unknown, min: number, max: number, example: string): void {
  const isRight = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
  expectThat(isRight, `\`${name}\` to be an integer from ${min} to ${max}`, value, example)
}
