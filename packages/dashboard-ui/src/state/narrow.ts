import { signal } from '@preact/signals'

const query = window.matchMedia('(max-width: 759px)')

/** True on small screens, where parts of a page stand in another order. */
export const narrow = signal(query.matches)

query.addEventListener('change', () => (narrow.value = query.matches))
