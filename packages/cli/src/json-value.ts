import { showJson } from '@arq-ts/protocol/show'

/** Characters of one answer, and the least that each row of a list may have of them. */
const MAX_LENGTH = 32 * 1024 * 1024
const MIN_ROW_LENGTH = 4 * 1024

/**
 * An answer as JSON text, in a list each row within its own share of the length: one row must not hide the others.
 * What is left out is marked by an object with the key `$cut`.
 */
export function jsonText(value: unknown, indent: number): string {
  if (!Array.isArray(value) || value.length === 0) return showJson(value, { maxLength: MAX_LENGTH, indent })
  const maxLength = Math.max(MIN_ROW_LENGTH, Math.floor(MAX_LENGTH / value.length))
  const rows = value.map((row) => showJson(row, { maxLength, indent }))
  if (indent === 0) return `[${rows.join(',')}]`
  const spaces = ' '.repeat(indent)
  return `[\n${rows.map((row) => spaces + row.replaceAll('\n', `\n${spaces}`)).join(',\n')}\n]`
}
