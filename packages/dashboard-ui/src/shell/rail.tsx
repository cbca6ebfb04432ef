import { computed } from '@preact/signals'
import { number } from '../format/number.ts'
import { cost } from '../state/cost.ts'
import { session } from '../state/session.ts'
import { path, to } from '../router.ts'
import { Icon } from '../ui/icon.tsx'
import { entryOf, groups, type Entry } from './nav.ts'

const current = computed(() => entryOf(path.value))

function Badge({ entry, short }: { entry: Entry; short?: boolean }) {
  const badge = session.value && entry.badge?.(session.value.badges)
  return badge ? <span class={`badge ${badge.tone}`}>{short ? badge.short : badge.text}</span> : null
}

/** The entry's name, with its badge. */
function spoken(entry: Entry): string {
  const badge = session.value && entry.badge?.(session.value.badges)
  return badge ? `${entry.name} ${badge.text}` : entry.name
}

/** The mark of arq-ts: two lines that cross. */
export function Brand() {
  return (
    <svg
      width={20}
      height={20}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={2.4}
      stroke-linecap="round"
      aria-hidden="true"
    >
      <path d="M3 6h3c6 0 6 12 12 12h3M3 18h3c6 0 6-12 12-12h3" />
    </svg>
  )
}

/** Address of Redis without its scheme and database, and the database. */
function redisPlace(url: string): string {
  const match = /^\w+:\/\/([^/]+)(?:\/(\d+))?/.exec(url)
  return match ? `${match[1]}, db ${match[2] ?? 0}` : url
}

/** The rail of larger screens. */
export function Rail() {
  const now = session.value
  return (
    <aside class="rail" aria-label="Installation and pages">
      <a class="brand" href={to('/')}>
        <Brand />
        <span>arq-ts</span>
      </a>
      {now && (
        <div class="place">
          {now.title}
          <small>{redisPlace(now.redis)}</small>
        </div>
      )}
      <nav aria-label="Pages">
        {groups.map((group, i) => (
          <ul key={i}>
            {group.map((entry) => (
              <li key={entry.path}>
                <a
                  href={to(entry.path)}
                  aria-current={current.value === entry ? 'page' : undefined}
                  title={`${spoken(entry)} (g ${entry.key})`}
                >
                  <Icon name={entry.icon} />
                  <span>{entry.name}</span> <Badge entry={entry} />
                </a>
              </li>
            ))}
          </ul>
        ))}
      </nav>
      <footer>
        {now?.user && (
          <div>
            {now.user.name} <b>{now.readOnly ? 'read-only' : now.user.role}</b>
          </div>
        )}
        {!now?.user && now?.readOnly && (
          <div>
            Rights <b>read-only</b>
          </div>
        )}
        <div title="Commands that this page made the server send to Redis within the last minute">
          Cost to Redis <b class="num">{number(cost.value.commands)} / min</b>
        </div>
      </footer>
    </aside>
  )
}

const narrow = ['/', '/jobs', '/errors', '/functions']

/** The bottom bar of small screens. */
export function BottomBar({ more }: { more: () => void }) {
  return (
    <nav class="bottom-bar" aria-label="Pages">
      {narrow.map((at) => {
        const entry = entryOf(at)!
        return (
          <a key={at} href={to(at)} aria-current={current.value === entry ? 'page' : undefined}>
            <Icon name={entry.icon} size={18} />
            {entry.name}
            <Badge entry={entry} short />
          </a>
        )
      })}
      <button
        type="button"
        onClick={more}
        aria-haspopup="dialog"
        aria-current={current.value && !narrow.includes(current.value.path) ? 'page' : undefined}
      >
        <Icon name="ellipsis" size={18} />
        More
      </button>
    </nav>
  )
}
