import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { clockSeconds, zoneName } from '../format/time.ts'
import { silent } from '../api/client.ts'
import { heard, live, redisNow } from '../api/stream.ts'
import { range, ranges, type RangeName } from '../state/range.ts'
import { path, setQuery } from '../router.ts'
import { Icon } from '../ui/icon.tsx'
import { Segmented } from '../ui/parts.tsx'
import { openPalette } from './palette-state.ts'

const ticking = signal(Date.now())
const ranged = new Set(['/', '/functions', '/queue', '/queues'])
/** The session is loaded each 30 s even where nothing changes. */
const LATE_MS = 45_000
const names = Object.keys(ranges) as RangeName[]
const words: Record<RangeName, string> = { '1h': '1 h', '6h': '6 h', '24h': '24 h', '7d': '7 d' }

/** The clock of Redis, and whether the page follows it. */
function Live() {
  useEffect(() => {
    const timer = setInterval(() => document.hidden || (ticking.value = Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [])
  const now = redisNow(ticking.value)
  const [state, word] = connection()
  return (
    <span class="live" data-state={state}>
      <i />
      <span>{word}</span>
      {heard.value && (
        <time class="num">
          {clockSeconds(now)} {zoneName()}
        </time>
      )}
    </span>
  )
}

/** The state of the connection to Redis and its word. The page says `Live` only while Redis has answered lately. */
function connection(): [state: 'live' | 'late' | 'off', word: string] {
  if (silent.value === 'redis') return ['off', 'Redis is silent']
  if (silent.value === 'server' || live.value === 'off') return ['off', 'Not connected']
  if (heard.value === null) return ['late', 'Connecting']
  return Date.now() - heard.value.localMs > LATE_MS ? ['late', 'Late'] : ['live', 'Live']
}

/** Search, range and clock over each page. */
export function TopBar() {
  const mac = /Mac|iPhone|iPad/.test(navigator.userAgent)
  return (
    <header class="topbar">
      <button type="button" class="opener" onClick={() => openPalette()} aria-haspopup="dialog">
        <Icon name="search" />
        <span>Search jobs, or run a command</span>
        <kbd>{mac ? '⌘ K' : 'Ctrl K'}</kbd>
      </button>
      <div class="side">
        {ranged.has(path.value) && (
          <Segmented
            label="Range of the charts"
            options={names.map((name) => [name, words[name]] as const)}
            value={range.value}
            pick={(name) => setQuery({ range: name === '1h' ? null : name }, { replace: true })}
          />
        )}
        <Live />
      </div>
    </header>
  )
}
