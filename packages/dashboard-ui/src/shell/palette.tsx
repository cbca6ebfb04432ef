import uFuzzy from '@leeoniya/ufuzzy'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { segments } from '../api/client.ts'
import { named, shown } from '../format/names.ts'
import { navigate, to } from '../router.ts'
import { may, session } from '../state/session.ts'
import { theme, zone } from '../state/settings.ts'
import { Icon } from '../ui/icon.tsx'
import { entries } from './nav.ts'
import { help, palette } from './palette-state.ts'
import { perform } from './toasts.tsx'

interface Command {
  group: string
  text: string
  hint?: string
  icon: string
  run: () => void
}

function commands(): Command[] {
  const queues = session.value?.queues ?? []
  return [
    ...entries.map((entry): Command => ({
      group: 'Pages',
      text: entry.name,
      hint: `g ${entry.key}`,
      icon: entry.icon,
      run: () => navigate(to(entry.path)),
    })),
    ...queues.map((name): Command => ({
      group: 'Queues',
      text: `Queue ${shown(name)}`,
      icon: 'layers',
      run: () => navigate(to('/queue', { name })),
    })),
    ...['running', 'retrying', 'failed', 'dead', 'deferred'].map((status): Command => ({
      group: 'Jobs',
      text: `Jobs that are ${status}`,
      icon: 'list',
      run: () => navigate(to('/jobs', { q: `status:${status}` })),
    })),
    ...(may('pause')
      ? queues.map((name): Command => ({
          group: 'Acts',
          text: `Pause ${shown(name)}`,
          icon: 'pause',
          run: () => void perform(`queues/${segments(name)}/pause`),
        }))
      : []),
    ...(may('resume')
      ? queues.map((name): Command => ({
          group: 'Acts',
          text: `Resume ${shown(name)}`,
          icon: 'play',
          run: () => void perform(`queues/${segments(name)}/resume`),
        }))
      : []),
    { group: 'This browser', text: 'Colours: light', icon: 'settings', run: () => (theme.value = 'light') },
    { group: 'This browser', text: 'Colours: dark', icon: 'moon-star', run: () => (theme.value = 'dark') },
    {
      group: 'This browser',
      text: 'Colours: as the system has them',
      icon: 'settings',
      run: () => (theme.value = 'system'),
    },
    {
      group: 'This browser',
      text: zone.value === 'utc' ? 'Times: local' : 'Times: UTC',
      icon: 'clock',
      run: () => (zone.value = zone.value === 'utc' ? 'local' : 'utc'),
    },
    {
      group: 'This browser',
      text: 'Show all keys',
      hint: '?',
      icon: 'corner-down-left',
      run: () => (help.value = true),
    },
  ]
}

const fuzzy = new uFuzzy()

/** Commands that fit the words, the best first; jobs are searched by the last two. */
function found(all: Command[], words: string): Command[] {
  if (!words.trim()) return all.filter(({ group }) => group === 'Pages' || group === 'Jobs')
  const [ids, , order] = fuzzy.search(
    all.map(({ text }) => text),
    words,
    1,
  )
  const best = order ? order.map((i) => all[ids![i]!]!) : (ids ?? []).map((i) => all[i]!)
  const word = words.trim()
  const search: Command[] = [
    {
      group: 'Search',
      text: `Search jobs for “${word}”`,
      hint: 'arguments, chips',
      icon: 'search',
      run: () => navigate(to('/jobs', { q: word })),
    },
    ...(/\s/.test(word)
      ? []
      : [
          {
            group: 'Search',
            text: `Open the job ${word}`,
            icon: 'arrow-right',
            run: () => navigate(to('/job', { id: named(word) })),
          },
        ]),
  ]
  return [...best.slice(0, 8), ...search]
}

/** The palette: every page, queue and act, and the search for jobs. */
export function Palette() {
  const ref = useRef<HTMLDialogElement>(null)
  const [words, setWords] = useState(palette.value ?? '')
  const [at, setAt] = useState(0)
  const all = useMemo(commands, [])
  const offered = found(all, words)
  const chosen = Math.min(at, offered.length - 1)

  useEffect(() => ref.current?.showModal(), [])
  useEffect(() => {
    document.getElementById(`command-${chosen}`)?.scrollIntoView({ block: 'nearest' })
  }, [chosen])

  const run = (command: Command | undefined) => {
    ref.current?.close()
    command?.run()
  }
  const keys = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step) setAt((chosen + step + offered.length) % offered.length)
    else if (event.key === 'Enter') run(offered[chosen])
    else return
    event.preventDefault()
  }
  return (
    <dialog
      class="palette"
      ref={ref}
      aria-label="Search jobs, or run a command"
      onClose={() => (palette.value = null)}
      onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}
    >
      <div class="ask">
        <Icon name="search" />
        <input
          type="text"
          role="combobox"
          aria-label="Search jobs, or run a command"
          aria-expanded="true"
          aria-controls="commands"
          aria-activedescendant={offered.length ? `command-${chosen}` : undefined}
          aria-autocomplete="list"
          autocomplete="off"
          spellcheck={false}
          placeholder="Search jobs, or run a command"
          value={words}
          onInput={(event) => (setWords(event.currentTarget.value), setAt(0))}
          onKeyDown={keys}
        />
        <kbd>Esc</kbd>
      </div>
      <div role="listbox" id="commands" aria-label="Commands">
        {grouped(offered).map(([group, members]) => (
          <div key={group} role="group" aria-label={group}>
            <span aria-hidden="true">{group}</span>
            {members.map(([command, i]) => (
              <div
                key={i}
                role="option"
                id={`command-${i}`}
                aria-selected={i === chosen}
                onClick={() => run(command)}
                onPointerMove={() => i !== chosen && setAt(i)}
              >
                <Icon name={command.icon} />
                <span>{command.text}</span>
                {command.hint && <small>{command.hint}</small>}
              </div>
            ))}
          </div>
        ))}
      </div>
    </dialog>
  )
}

/** Neighbours of one group together, with their places. */
function grouped(offered: Command[]): [string, [Command, number][]][] {
  const groups: [string, [Command, number][]][] = []
  offered.forEach((command, i) => {
    const last = groups.at(-1)
    if (last?.[0] === command.group) last[1].push([command, i])
    else groups.push([command.group, [[command, i]]])
  })
  return groups
}
