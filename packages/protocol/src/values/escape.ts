/** Characters that must not reach a terminal or a log: they move the cursor, forge lines or hide text. */

import { expectArgument, expectString, isNumber } from './expect-argument.ts'

/** Nearly all strings are plain ASCII, and asking is far quicker than looking for what is not. */
const PLAIN = /^[ -~]*$/
/** The characters that Python's `str.isprintable()` refuses. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** The string with Python's escapes in place of everything unprintable: `\n`, `\x1b`, `\u202e`. @throws OptionsError */
export function escapeUnprintable(text: string): string {
  expectString('escapeUnprintable', 'text', text)
  return PLAIN.test(text) ? text : text.replace(UNPRINTABLE, escaped)
}

/** One character as Python escapes it. */
export function escaped(character: string): string {
  const point = character.codePointAt(0) as number
  const hex = point.toString(16)
  if (point > 0xff) return point > 0xffff ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`
  return NAMED[character] ?? `\\x${hex.padStart(2, '0')}`
}

/** The C1 controls, DEL, and the format characters, which `JSON.stringify` leaves as they are. */
const HIDDEN = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu

/** A JSON string literal that is safe to print; it means the same. @throws OptionsError */
export function jsonString(text: string): string {
  expectString('jsonString', 'text', text)
  const literal = JSON.stringify(text)
  if (PLAIN.test(literal)) return literal
  return literal.replace(HIDDEN, escapedUnits)
}

/** Each UTF-16 unit as `\\uXXXX`. */
function escapedUnits(character: string): string {
  let text = ''
  for (let i = 0; i < character.length; i++) text += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
  return text
}

/**
 * At most `length` characters, the last of them an ellipsis where some are left out; as arq, counted as Python does.
 *
 * @throws OptionsError
 */
export function truncate(text: string, length: number): string {
  expectString('truncate', 'text', text)
  expectArgument('truncate', 'length', isNumber(length) && length >= 1, 'a number of characters, at least 1', length)
  if (text.length <= length) return text
  const head = text.slice(0, 2 * length)
  const characters = Array.from(head)
  if (characters.length <= length && head.length === text.length) return text
  return `${characters.slice(0, length - 1).join('')}…`
}

const MAX_NAME_LENGTH = 200

/** A name or an id from elsewhere as a log, an event or a message shows it: escaped, of at most 200 characters. @throws OptionsError */
export function showName(name: string): string {
  expectString('showName', 'name', name)
  if (name.length <= MAX_NAME_LENGTH && PLAIN.test(name)) return name
  return truncate(escapeUnprintable(name.slice(0, 2 * MAX_NAME_LENGTH)), MAX_NAME_LENGTH)
}

/** A line of JSON in which the characters that `JSON.stringify` leaves alone are escaped. @throws OptionsError */
export function escapeJsonLine(line: string): string {
  expectString('escapeJsonLine', 'line', line)
  return line.replace(HIDDEN, escapedUnits)
}
