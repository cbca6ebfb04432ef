import { END_MARK, piecesOf, PLAIN, printable, styles, unstyled } from './style.ts'

/** A column of a table. */
export interface Column<T> {
  title: string
  /** Text of a row in it; it may be styled. */
  cell: (row: T) => string
  align?: 'right'
  /** The least width that it is shortened to where the table is too wide; without it, it is never shortened. */
  min?: number
  /** Order in which columns go where shortening is not enough: the highest number first; without it, one never goes. */
  drop?: number
}

const GAP = '  '
/** A cell has more nowhere, not even in a pipe. */
const MAX_CELL = 500

/** A table that fits, and the titles of the columns that were left out. */
export interface Laid {
  lines: string[]
  dropped: string[]
}

/** Aligned columns under their titles, at most `width` wide where one is given. */
export function layOut<T>(rows: readonly T[], columns: readonly Column<T>[], width: number | null): Laid {
  const cells = columns.map((column) => rows.map((row) => clean(column.cell(row))))
  const natural = columns.map(({ title }, i) =>
    cells[i]!.reduce((most, cell) => Math.max(most, widthOf(cell)), widthOf(title)),
  )
  const kept = columns.map((_, i) => i)
  const dropped: string[] = []
  while (width !== null && leastOf(kept, columns, natural) > width) {
    const next = kept.reduce((most, i) => ((columns[i]!.drop ?? 0) > (columns[most]?.drop ?? 0) ? i : most), -1)
    if (next === -1) break
    kept.splice(kept.indexOf(next), 1)
    dropped.push(columns[next]!.title)
  }
  const widths = width === null ? natural : shortened(kept, columns, natural, width)
  const line = (texts: readonly string[]) =>
    kept
      .map((i) => {
        const text = cut(texts[i]!, widths[i]!)
        const space = ' '.repeat(Math.max(0, widths[i]! - widthOf(text)))
        return columns[i]!.align === 'right' ? space + text : text + space
      })
      .join(GAP)
      .trimEnd()
  const titles = line(columns.map(({ title }) => title))
  return { lines: [styles.dim(titles), ...rows.map((_, r) => line(cells.map((column) => column[r]!)))], dropped }
}

function clean(cell: string): string {
  const text = printable(cell)
  return text.length > MAX_CELL ? cut(text, MAX_CELL) : text
}

function leastOf<T>(kept: readonly number[], columns: readonly Column<T>[], natural: readonly number[]): number {
  const least = kept.reduce((sum, i) => sum + Math.min(natural[i]!, columns[i]!.min ?? natural[i]!), 0)
  return least + GAP.length * (kept.length - 1)
}

/** Takes what is too much from the widest of those that may be shortened, a column at a time. */
function shortened<T>(
  kept: readonly number[],
  columns: readonly Column<T>[],
  natural: readonly number[],
  width: number,
): number[] {
  const widths = [...natural]
  let over = kept.reduce((sum, i) => sum + widths[i]!, 0) + GAP.length * (kept.length - 1) - width
  while (over > 0) {
    const soft = kept.filter((i) => columns[i]!.min !== undefined && widths[i]! > columns[i]!.min)
    if (soft.length === 0) return widths
    const widest = soft.reduce((most, i) => (widths[i]! > widths[most]! ? i : most))
    const second = Math.max(columns[widest]!.min!, ...soft.filter((i) => i !== widest).map((i) => widths[i]!))
    const take = Math.max(1, Math.min(over, widths[widest]! - Math.max(second, columns[widest]!.min!)))
    widths[widest] = widths[widest]! - take
    over -= take
  }
  return widths
}

let segmenter: Intl.Segmenter | undefined

/** Characters as people see them. Nearly all text is plain, and the tables of Unicode take time to load. */
function segmentsOf(text: string): Iterable<Intl.SegmentData> {
  segmenter ??= new Intl.Segmenter()
  return segmenter.segment(text)
}

// East Asian wide and full-width forms, and pictographs: two columns each.
const WIDE =
  /^[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1F64F}\u{1F900}-\u{1F9FF}\u{1F680}-\u{1F6FF}\u{20000}-\u{3FFFD}]/u
const ZERO = /^[\p{Mn}\p{Me}\u200B-\u200D]/u

/** The number of columns that text takes on a terminal. */
export function widthOf(text: string): number {
  const plain = unstyled(text)
  if (PLAIN.test(plain)) return plain.length
  let width = 0
  for (const { segment } of segmentsOf(plain)) {
    if (!ZERO.test(segment)) width += WIDE.test(segment) || segment.includes('\uFE0F') ? 2 : 1
  }
  return width
}

/** Truncates a string to a number of columns; a shortened one ends in an ellipsis. Styles that it opens are closed. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let out = ''
  let room = width - 1
  let open = 0
  for (const { mark, text: piece } of piecesOf(text)) {
    for (const { segment } of segmentsOf(piece)) {
      const size = widthOf(segment)
      if (size > room) return `${out}…${END_MARK.repeat(open)}`
      room -= size
      out += segment
    }
    if (mark !== '') open += mark === END_MARK ? -1 : 1
    out += mark
  }
  return out
}
