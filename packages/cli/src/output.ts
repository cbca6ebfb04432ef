import { showId } from '@arq-ts/protocol/jobs'
import { spanText } from '@arq-ts/core/client'
import { repr, reprCall } from '@arq-ts/protocol/show'
import { processIo, widthOf } from './io.ts'
import type { Io } from './io.ts'
import { jsonText } from './json-value.ts'
import { hasColors, printable, rendered, styles } from './style.ts'
import { layOut } from './table.ts'
import type { Column } from './table.ts'

export { spanText } from '@arq-ts/core/client'
export type { Column } from './table.ts'

/** Names in one line at most. */
const MAX_NAMES = 10

/** Rows that are written as a list. */
export interface ListOptions<T> {
  /** The name of the rows in JSON. */
  name: string
  /** Said where there are no rows. */
  none: string
  /** Parts that are missing from the rows, a sentence each. Not given: nothing is missing. */
  incomplete?: readonly string[]
  /** A row as JSON. Default: as it is. */
  json?: (row: T) => unknown
  /** More fields of the JSON. */
  extra?: Readonly<Record<string, unknown>>
}

/** Writes what a command has to say: data on standard output, everything else on standard error. */
export class Output {
  readonly json: boolean
  readonly colors = styles
  readonly #io: Io
  readonly #takeDamaged: () => readonly string[]
  /** Damaged keys that were met, and that nothing written so far names. */
  readonly #damaged = new Set<string>()

  /** @param takeDamaged - gives the keys of a wrong type that were met since: no answer may hide that it lacks them. */
  constructor(json: boolean, io: Io = processIo, takeDamaged: () => readonly string[] = () => []) {
    this.json = json
    this.#io = io
    this.#takeDamaged = takeDamaged
  }

  /** One value: as JSON, or by `show` for a person. */
  data(value: unknown, show: () => void): void {
    if (this.json) this.raw(jsonText(value, this.#io.stdout.isTTY ? 2 : 0))
    else show()
  }

  /** Rows as a table, or as JSON: `{ <name>: […], complete, incomplete }`. */
  list<T>(rows: readonly T[], columns: readonly Column<T>[], options: ListOptions<T>): void {
    const { name, none, json = (row: T) => row, extra = {}, incomplete = [] } = options
    if (this.json) {
      const shown = rows.map(json)
      const all = [...incomplete, ...this.#unnamed(() => [jsonText(shown), ...incomplete]).map(damageNote)]
      this.data({ [name]: shown, complete: all.length === 0, incomplete: all, ...extra }, () => {})
      return
    }
    if (rows.length === 0) this.note(none)
    else this.table(rows, columns)
    for (const what of incomplete) this.note(`incomplete: ${what}`)
    this.noteDamage()
  }

  /** Names the damaged keys that no answer has named yet, each with what to do. */
  noteDamage(): void {
    for (const key of this.#unnamed(() => [])) this.note(`incomplete: ${damageNote(key)}`)
  }

  #unnamed(texts: () => readonly string[]): string[] {
    this.#name(texts)
    return [...this.#damaged].slice(0, MAX_NAMED)
  }

  /** Strikes off the damaged keys that these texts name. */
  #name(texts: () => readonly string[]): void {
    for (const key of this.#takeDamaged()) this.#damaged.add(key)
    if (this.#damaged.size === 0) return
    const all = texts().join('\n')
    for (const key of this.#damaged) if (all.includes(key) || all.includes(showId(key))) this.#damaged.delete(key)
  }

  /** Rows as a table that fits the terminal. */
  table<T>(rows: readonly T[], columns: readonly Column<T>[]): void {
    const { lines, dropped } = layOut(rows, columns, widthOf(this.#io.stdout, this.#io.env))
    for (const line of lines) this.line(line)
    if (dropped.length > 0) this.note(`not shown for lack of room: ${dropped.join(', ')}`)
  }

  /** Names and values, one below the other. */
  fields(pairs: Fields): void {
    for (const line of fieldLines(pairs)) this.line(line)
  }

  /** One line of data for a person. */
  line(text: string): void {
    this.raw(rendered(text, hasColors(this.#io.stdout, this.#io.env)))
  }

  /** Data for a program. */
  raw(text: string): void {
    this.#name(() => [text])
    this.#io.stdout.write(`${text}\n`)
  }

  /** A remark that is no data, in one line. */
  note(text: string): void {
    this.#name(() => [text])
    this.#io.stderr.write(`${rendered(text, hasColors(this.#io.stderr, this.#io.env))}\n`)
  }

  /** Reports the progress of what takes long, on a terminal only: one line, written over until `done`. */
  progress(what: string): { update: (count: number) => void; done: () => void } {
    const { stderr } = this.#io
    if (!stderr.isTTY || this.#io.env.TERM === 'dumb') return { update: () => {}, done: () => {} }
    let last = 0
    let isShown = false
    return {
      update: (count) => {
        const now = performance.now()
        if (now - last < 200) return
        last = now
        isShown = true
        stderr.write(`\r\u001B[K${printable(what)}: ${countText(count)}`)
      },
      done: () => {
        if (isShown) stderr.write('\r\u001B[K')
      },
    }
  }
}

/** Damaged keys that one answer names at most. */
const MAX_NAMED = 20

/** Says that the answer lacks a damaged key, and what to do. */
export function damageNote(key: string): string {
  return `the key ${showId(key)} holds another type of value than it should, and is left out; arq-ts doctor --fix puts it aside`
}

/** Names and values; those with null are left out. */
export type Fields = readonly (readonly [name: string, value: string | null])[]

/** Names and values as lines, one below the other. */
export function fieldLines(pairs: Fields): string[] {
  const shown = pairs.filter((pair): pair is [string, string] => pair[1] !== null)
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${styles.dim(name.padEnd(width))}  ${value}`)
}

/** A value in one short line, as log lines show it. */
export function preview(value: unknown, length = 60): string {
  return repr(value, length)
}

/** Arguments as a call would have them. */
export function callText(args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>, length = 60): string {
  return reprCall(args, kwargs, length)
}

/** `3 min ago`, or `in 3 min`; `nowMs` is Redis's time. Other values are shown unchanged. */
export function whenText(at: Date | number | null, nowMs: number): string {
  if (at === null) return '–'
  const then = typeof at === 'number' ? at : at.getTime()
  if (!isTime(then)) return numberText(then)
  const ms = then - nowMs
  return ms > 0 ? `in ${spanText(ms)}` : `${spanText(ms)} ago`
}

/** `2026-11-24 12:00:00` by this machine's clock, with how long ago. Other values are shown unchanged. */
export function instantText(at: Date | number | null, nowMs: number): string | null {
  if (at === null) return null
  const then = typeof at === 'number' ? at : at.getTime()
  if (!isTime(then)) return `${numberText(then)}  (no time)`
  return `${localText(then).slice(0, -4)}  (${whenText(then, nowMs)})`
}

/** `12:00:00` by this machine's clock, as every time that a person reads. */
export function clockText(ms: number): string {
  return localText(ms).slice(-12, -4)
}

/** `12:00:00.000` by this machine's clock. */
export function preciseClockText(ms: number): string {
  return localText(ms).slice(-12)
}

/** `2026-11-24 12:00:00.000` by this machine's clock. */
function localText(ms: number): string {
  const offsetMs = new Date(ms).getTimezoneOffset() * 60_000
  const local = isTime(ms - offsetMs) ? new Date(ms - offsetMs) : new Date(ms)
  return local.toISOString().slice(0, -1).replace('T', ' ')
}

function isTime(ms: number): boolean {
  return !Number.isNaN(new Date(ms).getTime())
}

/** A number as Redis and Python write it. */
export function numberText(value: number): string {
  return Number.isNaN(value) ? 'no time' : String(value).replace('Infinity', 'inf')
}

/** `1 job`, `12,345 jobs`. */
export function counted(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** Names in one line: the first ten, and the number of the others. */
export function namesText(names: readonly string[]): string {
  const rest = names.length - MAX_NAMES
  const shown = names.slice(0, MAX_NAMES).map(showId).join(', ')
  return rest > 0 ? `${shown} and ${countText(rest)} more` : shown
}

/** `12,345`. By hand: the tables of `toLocaleString` take longer to load than most commands take to run. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',')
}
