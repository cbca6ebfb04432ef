import Table from 'cli-table3'
import { repr, reprCall } from '@arq-ts/protocol/show'
import pc from 'picocolors'
import { jsonText } from './json-value.ts'
import { printable, printableLines } from './printable.ts'

/** Colours for a stream: only on a terminal, never against NO_COLOR, always with FORCE_COLOR. */
export function colorsFor(stream: { isTTY?: boolean }): ReturnType<typeof pc.createColors> {
  const { FORCE_COLOR, NO_COLOR } = process.env
  return pc.createColors(FORCE_COLOR ? FORCE_COLOR !== '0' : stream.isTTY === true && !NO_COLOR)
}

/** A column of a table: its title, and what a row shows in it. */
export type Column<T> = [title: string, cell: (row: T) => string, align?: 'right']

/** Writes what a command has to say: data on standard output, everything else on standard error. */
export class Output {
  readonly json: boolean
  readonly colors = colorsFor(process.stdout)

  constructor(json: boolean) {
    this.json = json
  }

  /** One value: as JSON, or by `show` for a person. */
  data(value: unknown, show: () => void): void {
    if (this.json) this.raw(jsonText(value, process.stdout.isTTY ? 2 : 0))
    else show()
  }

  /** Rows as a table, or as a JSON array; `none` is said where there are none. */
  rows<T>(rows: readonly T[], columns: readonly Column<T>[], none: string): void {
    this.data(rows, () => {
      if (rows.length === 0) this.note(none)
      else this.line(table(rows, columns, this.colors.dim))
    })
  }

  /** Names and values, one below the other. */
  fields(pairs: readonly (readonly [name: string, value: string | null])[]): void {
    const shown = pairs.filter((pair): pair is [string, string] => pair[1] !== null)
    const width = Math.max(...shown.map(([name]) => name.length))
    for (const [name, value] of shown) this.line(`${this.colors.dim(name.padEnd(width))}  ${value}`)
  }

  /** Data for a person. */
  line(text: string): void {
    this.raw(printableLines(text))
  }

  /** Data for a program. */
  raw(text: string): void {
    process.stdout.write(`${text}\n`)
  }

  /** A remark that is no data. */
  note(text: string): void {
    process.stderr.write(`${printableLines(text)}\n`)
  }
}

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

/** Aligned columns under their titles. */
export function table<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  dim: (text: string) => string = String,
): string {
  const made = new Table({
    head: columns.map(([title]) => dim(title)),
    colAligns: columns.map(([, , align]) => align ?? 'left'),
    chars: NO_BORDERS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  })
  for (const row of rows) made.push(columns.map(([, cell]) => printable(cell(row))))
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/** A value in one short line, as log lines show it. */
export function preview(value: unknown, length = 60): string {
  return repr(value, length)
}

/** Arguments as a call would have them. */
export function callText(args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>, length = 60): string {
  return reprCall(args, kwargs, length)
}

/** `850 ms`, `12 s`, `3 min 20 s`, `5 h 10 min`, `2 d 3 h`. */
export function spanText(ms: number): string {
  const absolute = Math.abs(ms)
  if (absolute < 1_000) return `${Math.round(absolute)} ms`
  const units: [size: number, name: string][] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ]
  const first = units.findIndex(([size]) => absolute >= size)
  const [size, name] = units[first]!
  const rest = units[first + 1]
  const whole = Math.floor(absolute / size)
  const left = rest ? Math.floor((absolute - whole * size) / rest[0]) : 0
  return left > 0 && rest ? `${whole} ${name} ${left} ${rest[1]}` : `${whole} ${name}`
}

/** `3 min ago`, or `in 3 min`; `nowMs` is Redis's time. */
export function whenText(at: Date | null, nowMs: number): string {
  if (at === null) return '–'
  const ms = at.getTime() - nowMs
  return ms > 0 ? `in ${spanText(ms)}` : `${spanText(ms)} ago`
}

/** `2026-11-24 12:00:00` by this machine's clock, with how long ago. */
export function instantText(at: Date | null, nowMs: number): string | null {
  if (at === null) return null
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace('T', ' ')
  return `${local}  (${whenText(at, nowMs)})`
}

/** `1 job`, `12,345 jobs`. */
export function counted(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** `12,345`. */
export function countText(count: number): string {
  return count.toLocaleString('en-US')
}
