import type { ComponentChildren, TargetedKeyboardEvent, TargetedMouseEvent } from 'preact'
import { shown as visible } from '../format/names.ts'
import { navigate, place, setQuery } from '../router.ts'
import { useSteady } from './steady.ts'
import { nextOrder, ordered, readOrder, slug, writeOrder, type Order } from './table-order.ts'

/** A column of a table. */
export interface Column<Row> {
  /** Its head, and its name in the address. */
  name: string
  /** The content of a row's cell. */
  cell: (row: Row) => ComponentChildren
  /** Value by which rows are ordered; without one, the column cannot order rows. */
  by?: (row: Row) => number | string | null
  /** True for a number or a time: right-aligned, the largest first. */
  number?: boolean
  /** True if it names the row: its cell is the head of the row, and the link to the page that the row opens. */
  names?: boolean
  /** Content next to the link of the cell that names the row. */
  adjacent?: (row: Row) => ComponentChildren
  /** The second line of the cell. */
  under?: (row: Row) => ComponentChildren
  /** Hidden on narrow screens: `minor` below 1180 px, `wide` below 760 px. */
  hide?: 'minor' | 'wide'
  /** Classes of a row's cell. */
  tone?: string | ((row: Row) => string)
  /** Text of the tooltip. */
  title?: (row: Row) => string
  /** True for a head that only screen readers announce. */
  silent?: boolean
}

/** Selected rows, by their ids. */
export interface Selection<Row> {
  picked: ReadonlySet<string>
  pick: (picked: ReadonlySet<string>) => void
  idOf: (row: Row) => string
  /** The noun of a row: "job". */
  noun: string
}

interface Props<Row> {
  /** Name of the table: the kind of its rows. */
  label: string
  columns: readonly (Column<Row> | false | null)[]
  rows: readonly Row[]
  keyOf: (row: Row) => string
  /** Address that a row opens; null for one that opens nothing. */
  open?: (row: Row) => string | null
  /** The part of the address that keeps its order. Default: rows keep their given order. */
  order?: string
  selection?: Selection<Row> | undefined
  /** Classes of a row. */
  tone?: (row: Row) => string
  /** Content to show instead of an empty table. */
  empty?: ComponentChildren
}

/**
 * A list as a table. The address keeps its order; rows keep their places while the pointer is on them. `j` and `k` move
 * among the rows, Enter opens one, `x` selects it.
 */
export function Table<Row>({
  columns: given,
  empty,
  keyOf,
  label,
  open,
  order: part,
  rows,
  selection,
  tone,
}: Props<Row>) {
  const columns = given.filter((column): column is Column<Row> => Boolean(column))
  const order = part === undefined ? null : readOrder(place.value.query.get(part))
  const by = order && columns.find(({ name }) => slug(name) === order.column)?.by
  const arranged = by ? ordered(rows, (row) => asShown(by(row)), order.falls) : [...rows]
  const { rows: shown, hold } = useSteady(arranged, keyOf, writeOrder(order) ?? '')
  if (rows.length === 0 && empty !== undefined) return <>{empty}</>
  const press = (column: Column<Row>) =>
    setQuery({ [part!]: writeOrder(nextOrder(order, slug(column.name), column.number === true)) }, { replace: true })
  return (
    <div class="scroll" onKeyDown={selection && ((event) => selectByKey(event, selection))}>
      <table aria-label={label}>
        <thead>
          <tr>
            {selection && <AllBox rows={shown} selection={selection} />}
            {columns.map((column) => (
              <Head
                key={column.name}
                column={column}
                order={by && order.column === slug(column.name) ? order : null}
                press={part !== undefined && column.by ? () => press(column) : undefined}
              />
            ))}
          </tr>
        </thead>
        <tbody {...hold}>
          {shown.map((row, at) => {
            const address = open?.(row) ?? null
            const id = selection?.idOf(row)
            return (
              <tr
                key={keyOf(row)}
                class={[tone?.(row), address === null ? '' : 'opens'].filter(Boolean).join(' ') || undefined}
                data-id={id}
                aria-selected={id !== undefined && selection?.picked.has(id) ? 'true' : undefined}
                onClick={address === null ? undefined : (event) => openByClick(event, address)}
                {...(address === null && { 'data-row': true, tabIndex: -1 })}
              >
                {selection && <RowBox rows={shown} at={at} selection={selection} />}
                {columns.map((column) => (
                  <Cell key={column.name} column={column} row={row} address={address} />
                ))}
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}

function Head<Row>({
  column: { by, hide, name, number, silent },
  order,
  press,
}: {
  column: Column<Row>
  order: Order | null
  press: (() => void) | undefined
}) {
  const sorted = order && (order.falls ? 'descending' : 'ascending')
  return (
    <th scope="col" class={classes(number && 'n', hide)} aria-sort={sorted ?? (by && press ? 'none' : undefined)}>
      {press ? (
        <button type="button" class="order" onClick={press}>
          {name}
          <svg class={sorted ?? undefined} width={8} height={12} viewBox="0 0 8 12" aria-hidden="true">
            <path class="up" d="M1 4.5 4 1l3 3.5" />
            <path class="down" d="M1 7.5 4 11l3-3.5" />
          </svg>
        </button>
      ) : silent ? (
        <span class="sr">{name}</span>
      ) : (
        name
      )}
    </th>
  )
}

function Cell<Row>({ address, column, row }: { column: Column<Row>; row: Row; address: string | null }) {
  const { adjacent, cell, hide, names, number, title, tone, under } = column
  const second = under?.(row)
  const made = cell(row)
  // A name that consists of blanks would leave nothing to see, or to click.
  const content = typeof made === 'string' ? visible(made) : made
  const attributes = {
    class: classes(number && 'n', under && 'two', hide, typeof tone === 'function' ? tone(row) : tone),
    title: titleOf(title?.(row)),
  }
  const inner = (
    <>
      {names && address !== null ? (
        <a href={address} data-row>
          {content}
        </a>
      ) : (
        content
      )}
      {adjacent?.(row)}
      {second && <small>{second}</small>}
    </>
  )
  return names ? (
    <th scope="row" {...attributes}>
      {inner}
    </th>
  ) : (
    <td {...attributes}>{inner}</td>
  )
}

const titleOf = (text: string | null | undefined) => (text ? visible(text) : undefined)

/** Rows are in the order of what people see. */
const asShown = <Value,>(value: Value) => (typeof value === 'string' ? visible(value) : value)

const classes = (...names: (string | false | undefined)[]): string | undefined =>
  names.filter(Boolean).join(' ') || undefined

/** A click outside of the controls of a row opens it, unless it ended a selection of text. */
function openByClick(event: TargetedMouseEvent<HTMLElement>, address: string): void {
  const isOwn = event.target instanceof Element && event.target.closest('a, button, input, label, summary')
  if (event.defaultPrevented || isOwn || event.button !== 0 || getSelection()?.isCollapsed === false) return
  if (event.metaKey || event.ctrlKey) window.open(address, '_blank', 'noopener')
  else navigate(address)
}

function selectByKey<Row>(event: TargetedKeyboardEvent<HTMLElement>, { pick, picked }: Selection<Row>): void {
  if (event.key !== 'x' || !(event.target instanceof Element)) return
  const id = event.target.closest('tr')?.dataset['id']
  if (id !== undefined) pick(toggled(picked, [id], !picked.has(id)))
}

/** The set with these ids, or without them. */
function toggled(picked: ReadonlySet<string>, ids: readonly string[], on: boolean): ReadonlySet<string> {
  const next = new Set(picked)
  for (const id of ids) {
    if (on) next.add(id)
    else next.delete(id)
  }
  return next
}

function AllBox<Row>({ rows, selection }: { rows: readonly Row[]; selection: Selection<Row> }) {
  const { idOf, noun, pick, picked } = selection
  const ids = rows.map(idOf)
  const many = ids.filter((id) => picked.has(id)).length
  return (
    <th scope="col" class="tick">
      <input
        type="checkbox"
        aria-label={`Select all ${noun}s shown`}
        checked={ids.length > 0 && many === ids.length}
        indeterminate={many > 0 && many < ids.length}
        onChange={() => pick(toggled(picked, ids, many < ids.length))}
      />
    </th>
  )
}

/** The checkbox of a row. With Shift it also selects the rows since the last selected one. */
function RowBox<Row>({ at, rows, selection }: { rows: readonly Row[]; at: number; selection: Selection<Row> }) {
  const { idOf, noun, pick, picked } = selection
  const id = idOf(rows[at]!)
  return (
    <td class="tick">
      <input
        type="checkbox"
        aria-label={`Select the ${noun} ${visible(id)}`}
        checked={picked.has(id)}
        onClick={(event) => {
          const from = event.shiftKey ? rows.findIndex((row) => idOf(row) === lastPicked) : -1
          const [low, high] = from < 0 ? [at, at] : [Math.min(from, at), Math.max(from, at)]
          pick(toggled(picked, rows.slice(low, high + 1).map(idOf), !picked.has(id)))
          lastPicked = id
        }}
      />
    </td>
  )
}

/** The row that was selected last on the page. */
let lastPicked = ''
