import { createElement } from 'preact'
import { icons } from 'virtual:icons'

/** A lucide icon; the adjacent text names it. */
export function Icon({ name, size = 16 }: { name: string; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={2}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {icons[name]?.map(([tag, attributes], key) => createElement(tag, { ...attributes, key }))}
    </svg>
  )
}
