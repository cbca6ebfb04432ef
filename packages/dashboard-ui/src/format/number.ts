import { shown } from './names.ts'

const plain = new Intl.NumberFormat('en-US')
const one = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 })

/** A whole number with separators; `–` where it is unknown. */
export function number(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : plain.format(Math.round(value))
}

const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 })

/** A whole number in at most four letters: "412", "8.4K". */
export function compact(value: number): string {
  return short.format(value)
}

/** A rate: one decimal below 10, none above; `–` where it is unknown. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  return Math.abs(value) < 10 ? one.format(value) : number(value)
}

/** A share as a percentage. */
export function percent(share: number): string {
  if (share > 0 && share < 0.001) return '<0.1%'
  return `${share < 0.1 ? one.format(share * 100) : Math.round(share * 100)}%`
}

const small = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']

/** A number in words below ten. */
export function words(n: number): string {
  return small[n] ?? number(n)
}

/** A count with its noun, in words below ten: "two queues", "1,960 jobs". */
export function count(n: number, noun: string, nouns = `${noun}s`): string {
  return `${words(n)} ${n === 1 ? noun : nouns}`
}

/** A count with its noun, in digits: "1 job", "412 jobs". */
export function digits(n: number, noun: string, nouns = `${noun}s`): string {
  return `${number(n)} ${n === 1 ? noun : nouns}`
}

/** The sentence with a capital first letter. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** Names as a list: "a", "a and b", "a, b and 3 more". */
export function list(names: string[], most = 3): string {
  const some = names.slice(0, names.length > most ? most - 1 : most).map(shown)
  const parts = names.length > most ? [...some, `${names.length - most + 1} more`] : some
  return parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`
}

/** A size in bytes with its unit. */
export function bytes(size: number | null | undefined): string {
  if (size === null || size === undefined) return '–'
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const unit = size < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(size) / 10))
  return `${one.format(size / 1024 ** unit)} ${units[unit]}`
}
