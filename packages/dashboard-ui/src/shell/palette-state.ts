import { signal } from '@preact/signals'

/** The open palette and what stands in it; null while it is closed. */
export const palette = signal<string | null>(null)

/** Opens the palette. */
export function openPalette(text = ''): void {
  palette.value = text
}

/** True while the list of keys is shown. */
export const help = signal(false)
