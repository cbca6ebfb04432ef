import { randomBytes } from 'node:crypto'
import type { Io, Sink } from './io.ts'

/**
 * Beginning of every mark: noncharacters of Unicode in an order that each process draws anew. Data may hold any
 * characters, these too, and yet never a mark: it was written before anybody could know them.
 */
const SECRET = Array.from(randomBytes(16), (byte) => String.fromCharCode(0xfde0 + (byte & 0xf))).join('')

/**
 * Colours as marks in the text: it is escaped as a whole when it is written, its control characters and all other
 * noncharacters included, and only then these become what a terminal understands. So no data colours or moves anything.
 */
const MARKS = {
  bold: [`${SECRET}\uFDD0`, '\u001B[1m', '\u001B[22m'],
  dim: [`${SECRET}\uFDD1`, '\u001B[2m', '\u001B[22m'],
  red: [`${SECRET}\uFDD2`, '\u001B[31m', '\u001B[39m'],
  green: [`${SECRET}\uFDD3`, '\u001B[32m', '\u001B[39m'],
  yellow: [`${SECRET}\uFDD4`, '\u001B[33m', '\u001B[39m'],
  cyan: [`${SECRET}\uFDD5`, '\u001B[36m', '\u001B[39m'],
  inverse: [`${SECRET}\uFDD6`, '\u001B[7m', '\u001B[27m'],
} as const
/** Ends the style that was begun last. */
export const END_MARK = `${SECRET}\uFDDF`

type Style = (text: string) => string
/** Functions that set text off. */
export type Styles = Readonly<Record<keyof typeof MARKS, Style>>

const mark =
  (start: string): Style =>
  (text) =>
    text === '' ? '' : `${start}${text}${END_MARK}`

/** Styles for text that `shown` writes. */
export const styles = Object.fromEntries(Object.entries(MARKS).map(([name, [start]]) => [name, mark(start)])) as Styles

/** True for a terminal that shows colours: never against NO_COLOR or a dumb one, always with FORCE_COLOR. */
export function hasColors(sink: Sink, env: Io['env']): boolean {
  const { FORCE_COLOR, NO_COLOR, TERM } = env
  if (FORCE_COLOR) return FORCE_COLOR !== '0'
  return sink.isTTY === true && !NO_COLOR && TERM !== 'dumb'
}

const STARTS = new Map<string, readonly [string, string]>(
  Object.values(MARKS).map(([start, on, off]) => [start, [on, off]]),
)
// Control, format and private characters, lone surrogates, the noncharacters that marks are made of, and separators of
// lines: everything that does not stand for itself on a screen. Format characters include those that turn the direction
// of text. A mark comes first, and stays.
const UNSEEN = new RegExp(`${SECRET}[\uFDD0-\uFDDF]|[\\p{Cc}\\p{Cf}\\p{Co}\\p{Cs}\\p{Zl}\\p{Zp}\uFDD0-\uFDEF]`, 'gu')
const JOINERS = new Set(['\u200C', '\u200D'])
const MARK = new RegExp(`${SECRET}[\uFDD0-\uFDDF]`, 'g')
/** Text of ASCII, and of the signs that our own tables have: the tables of Unicode take longer to load than most verbs to run. */
export const PLAIN = /^[ -~–…≤≥]*$/

/** Text on one line, with everything that could move a cursor or forge a line as an escape. */
export function printable(text: string): string {
  if (PLAIN.test(unstyled(text))) return text
  return text.replace(UNSEEN, escaped)
}

function escaped(character: string): string {
  if (JOINERS.has(character) || character.startsWith(SECRET)) return character
  if (character === '\n') return '\\n'
  if (character === '\t') return '\\t'
  if (character === '\r') return '\\r'
  const code = character.codePointAt(0)!
  // A byte of an id that is not UTF-8, as `showId` writes it.
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`
  const hex = code.toString(16)
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
}

/** One line as a stream gets it: escaped, then with our colours, or without any. */
export function rendered(line: string, colors: boolean): string {
  const text = printable(line)
  if (!colors) return text.replace(MARK, '')
  const open: string[] = []
  const out = text.replace(MARK, (found) => {
    const style = STARTS.get(found)
    if (style) {
      open.push(style[1])
      return style[0]
    }
    return open.pop() ?? ''
  })
  return out + open.reverse().join('')
}

/** Text in pieces: what stands between marks, then a mark, in turn. */
export function piecesOf(text: string): { text: string; mark: string }[] {
  const marks = text.match(MARK) ?? []
  return text.split(MARK).map((piece, i) => ({ text: piece, mark: marks[i] ?? '' }))
}

/** Text without our marks. */
export function unstyled(text: string): string {
  return text.replace(MARK, '')
}
