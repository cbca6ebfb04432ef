/** Checks of the arguments of public functions and methods, worded like the checks of options. */
import { ArgumentsError } from '@arq-ts/core'
import { checkOptions } from '@arq-ts/core/task-kit'
import { z } from 'zod'

/** A string that is not empty. */
export const textSchema = z.string('Expected a string that is not empty').min(1, 'Expected a string that is not empty')
/** A function. */
export const functionSchema = z.custom<(...args: never[]) => unknown>(
  (value) => typeof value === 'function',
  'Expected a function',
)
/** A number that is not NaN. */
export const numberSchema = z.number('Expected a number')

/** @throws ArgumentsError that names the function, the argument, what was expected and what came. */
export function checkArguments<S extends z.ZodObject>(where: string, schema: S, given: unknown): z.output<S> {
  try {
    return checkOptions(where, schema, given)
  } catch (error) {
    throw new ArgumentsError((error as Error).message)
  }
}

const idSchema = z.strictObject({ id: textSchema })

/** Checks the id of a deployment. @throws ArgumentsError */
export function checkId(where: string, id: unknown): void {
  checkArguments(where, idSchema, { id })
}
