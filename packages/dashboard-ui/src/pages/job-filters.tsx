import { useState } from 'preact/hooks'
import { parse, withChip, write } from '../format/chips.ts'
import { Icon } from '../ui/icon.tsx'

/** States that the tabs show already. */
const tabbed = new Set(['running', 'retrying', 'failed', 'dead', 'complete'])

/** The chips of the filter, and the field for more of them. */
export function Filters({
  q,
  search,
  remove,
}: {
  q: string
  search: (q: string) => void
  remove: (at: number) => void
}) {
  const [words, setWords] = useState('')
  const submit = (event: Event) => {
    event.preventDefault()
    const added = parse(words)
    if (added.length === 0) return
    search(added.reduce((all, chip) => withChip(all, chip), write(parse(q))))
    setWords('')
  }
  return (
    <>
      {parse(q).map(({ key, value }, at) =>
        key === 'status' && tabbed.has(value) ? null : (
          <span class="chip" key={`${key} ${value}`}>
            {key ?? 'text'} <b>{value}</b>
            <button type="button" aria-label={`Remove the filter ${key ?? 'text'} ${value}`} onClick={() => remove(at)}>
              <Icon name="x" size={14} />
            </button>
          </span>
        ),
      )}
      <form class="filter" role="search" onSubmit={submit}>
        <Icon name="list-filter" size={14} />
        <input
          type="search"
          data-search
          aria-label="Add a filter"
          placeholder="Add filter: queue:mail, text …"
          list="filters"
          autocomplete="off"
          spellcheck={false}
          value={words}
          onInput={(event) => setWords(event.currentTarget.value)}
          onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.blur()}
        />
        <datalist id="filters">
          {[
            'status:queued',
            'status:deferred',
            'status:aborted',
            'status:failed,dead',
            'function:',
            'queue:',
            'id:',
            'older:10m',
            'older:1d',
            'error:',
          ].map((chip) => (
            <option key={chip} value={chip} />
          ))}
        </datalist>
      </form>
    </>
  )
}
