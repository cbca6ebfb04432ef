import { showJson } from '@arq-ts/protocol/show'

/** Characters of one answer, and the least that each row of a list may have of them. */
const MAX_LENGTH = 32 * 1024 * 1024
const MIN_ROW_LENGTH = 4 * 1024

/**
 * An answer as JSON text, without a character that a terminal acts on. Each row of a list, at the top or in a field of
 * the answer, has its own share of the length: one row must not hide the others. What is left out is marked by an
 * object with the key `$cut`.
 */
export function jsonText(value: unknown, indent = 0): string {
  return shown(value, indent).replace(UNSEEN, escaped)
}

function shown(value: unknown, indent: number): string {
  if (isList(value)) return listText(value, indent)
  const isAnswer = Object.prototype.toString.call(value) === '[object Object]' && !(value instanceof Map)
  const fields = isAnswer ? Object.entries(value as object).filter(([, each]) => each !== undefined) : []
  if (!fields.some(([, each]) => isList(each))) return showJson(value, { maxLength: MAX_LENGTH, indent })
  const texts = fields.map(([name, each]) => {
    const text = isList(each) ? listText(each, indent) : showJson(each, { maxLength: MAX_LENGTH, indent })
    return `${JSON.stringify(name)}:${indent === 0 ? '' : ' '}${text}`
  })
  return joined(texts, ['{', '}'], indent)
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0
}

function listText(rows: readonly unknown[], indent: number): string {
  const maxLength = Math.max(MIN_ROW_LENGTH, Math.floor(MAX_LENGTH / rows.length))
  const texts = rows.map((row) => showJson(row, { maxLength, indent }))
  return joined(texts, ['[', ']'], indent)
}

function joined(texts: readonly string[], [open, close]: readonly [string, string], indent: number): string {
  if (indent === 0) return open + texts.join(',') + close
  const spaces = ' '.repeat(indent)
  return `${open}\n${texts.map((text) => spaces + text.replaceAll('\n', `\n${spaces}`)).join(',\n')}\n${close}`
}

// Control characters above ASCII, and those that are not seen but turn, join or hide text. Line breaks are our own.
const UNSEEN = /[\u007F-\u009F\p{Cf}\p{Zl}\p{Zp}]/gu

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
