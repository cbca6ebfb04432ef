import { NonRetryableError } from '@arq-ts/core'
import { jsonText } from '@arq-ts/protocol/show'

/**
 * A value as JSON, for stores that keep it as such: sets become arrays, maps become objects (keys that are numbers become
 * strings, as in Python), dates become ISO strings, integers keep every digit.
 *
 * @throws NonRetryableError for a value that has no form in JSON, such as bytes, for one that contains itself, and for one
 *   that is nested deeper than 500 levels, shares its parts too often, or is larger than 64 MiB: another try would not help.
 */
export function jsonOf(key: string, value: unknown): string {
  try {
    return jsonText(value, { lenient: true })
  } catch (error) {
    throw new NonRetryableError(`the value of '${key}' has no form in JSON: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
