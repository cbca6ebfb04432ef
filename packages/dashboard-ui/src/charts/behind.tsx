import { useState } from 'preact/hooks'
import type { ComponentChildren } from 'preact'
import { shown } from '../format/names.ts'

/** The table behind a chart. Its rows are made once somebody opens it. */
export function Behind({ head, rows }: { head: string[]; rows: () => ComponentChildren[][] }) {
  const [open, setOpen] = useState(false)
  return (
    <details class="behind" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As a table</summary>
      {open && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Table of the chart">
          <table>
            <thead>
              <tr>
                {head.map((name, i) => (
                  <th key={name} scope="col" class={i ? 'n' : ''}>
                    {shown(name)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows().map((cells, r) => (
                <tr key={r}>
                  {cells.map((cell, i) => (
                    <td key={i} class={i ? 'n' : ''}>
                      {cell}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  )
}
