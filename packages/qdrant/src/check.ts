/** Rules for names and times, and the wording of refusals of arguments; options are checked as in core. */
import { ArgumentsError } from '@arq-ts/core'
import { checkOptions } from '@arq-ts/core/task-kit'
import { z } from 'zod'

const NAME = 'Expected 1 to 255 letters, digits, underscores or hyphens'
const MINUTES = 'Expected minutes from 0 to 52596000 (a century)'

/** Names of collections and aliases: the Python application's rule, narrower than Qdrant's own. */
export const nameSchema = z.string(NAME).regex(/^[a-zA-Z0-9_-]{1,255}$/, NAME)

/** The grace period before a deletion in minutes, whole or broken: as far as a job can be deferred. */
export const graceSchema = z.number(MINUTES).min(0, MINUTES).max(52_596_000, MINUTES)

/** An integer of at least 1. */
export const countSchema = z
  .number('Expected an integer of at least 1')
  .int('Expected an integer of at least 1')
  .min(1, 'Expected an integer of at least 1')

/** @throws ArgumentsError that names the argument, what was expected and what came. */
export function checkArguments(method: string, schema: z.ZodObject, given: Readonly<Record<string, unknown>>): void {
  try {
    checkOptions(method, schema, given)
  } catch (error) {
    throw new ArgumentsError((error as Error).message)
  }
}
