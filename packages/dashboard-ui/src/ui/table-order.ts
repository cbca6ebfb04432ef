/** The order of a table's rows. Pure. */

/** A column that rows are ordered by; `falls`: the largest first. */
export interface Order {
  column: string
  falls: boolean
}

/** Reads the order from the address: `due`, or `-due` if it falls. Null for none. */
export function readOrder(text: string | null): Order | null {
  if (!text) return null
  return text.startsWith('-') ? { column: text.slice(1), falls: true } : { column: text, falls: false }
}

/** Writes an order as `readOrder` reads it; null for none. */
export function writeOrder(order: Order | null): string | null {
  return order && `${order.falls ? '-' : ''}${order.column}`
}

/** The order after a click on the head of a column: its first direction, then the other, then the default of the table. */
export function nextOrder(now: Order | null, column: string, fallsFirst: boolean): Order | null {
  if (now?.column !== column) return { column, falls: fallsFirst }
  return now.falls === fallsFirst ? { column, falls: !fallsFirst } : null
}

/** The name of a column in the address. */
export function slug(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
}

const texts = new Intl.Collator('en', { numeric: true })

/** The rows by a value, those without one last. Equal ones keep their order. */
export function ordered<Row>(rows: readonly Row[], by: (row: Row) => number | string | null, falls: boolean): Row[] {
  const valued = rows.map((row) => ({ row, value: by(row) }))
  return valued
    .sort((a, b) => {
      if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null)
      const step =
        typeof a.value === 'number' && typeof b.value === 'number'
          ? a.value - b.value
          : texts.compare(String(a.value), String(b.value))
      return falls ? -step : step
    })
    .map(({ row }) => row)
}
