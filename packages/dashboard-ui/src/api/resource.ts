import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { StreamTopic } from '@arq-ts/dashboard/api'
import { ApiFailure, get } from './client.ts'
import { hear, live, useTopic } from './stream.ts'
import { spent } from '../state/cost.ts'

/** Data of the server with the state of its loading. Old data stay while newer are loaded. */
export interface Resource<T> {
  data: T | undefined
  failure: ApiFailure | undefined
  loading: boolean
  reload: () => void
}

/** Answers by path, the newest 40, so that going back shows a page at once. */
const known = new Map<string, unknown>()

function remember(path: string, data: unknown): void {
  known.delete(path)
  known.set(path, data)
  if (known.size > 40) known.delete(known.keys().next().value!)
}

/** Redis's time of an answer or message; the beginning of time where it has none. */
const timeOf = (data: unknown): number => (data as { nowMs?: number } | undefined)?.nowMs ?? 0

interface Options {
  /** Messages of this topic replace the data: they have its type. */
  topic?: StreamTopic
  /** Loads again after this time while the page is visible, in ms. */
  everyMs?: number
  /** Keeps the data of the path before while those of another are loaded: a window of time that moved on. */
  keep?: boolean
}

/** Loads `api/<path>`; null loads nothing. */
export function useResource<T>(path: string | null, { topic, everyMs, keep = false }: Options = {}): Resource<T> {
  const [, draw] = useState(0)
  const state = useRef<{ path: string | null; data: T | undefined; failure: ApiFailure | undefined; loading: boolean }>(
    {
      path: null,
      data: undefined,
      failure: undefined,
      loading: false,
    },
  )
  if (state.current.path !== path) {
    state.current = {
      path,
      data: path === null ? undefined : ((known.get(path) as T | undefined) ?? (keep ? state.current.data : undefined)),
      failure: undefined,
      loading: path !== null,
    }
  }
  const abort = useRef<AbortController | undefined>(undefined)
  const load = useCallback(() => {
    if (path === null) return
    abort.current?.abort()
    const mine = new AbortController()
    abort.current = mine
    const settle = (change: Partial<typeof state.current>) => {
      if (mine.signal.aborted || state.current.path !== path) return
      Object.assign(state.current, { loading: false }, change)
      draw((n) => n + 1)
    }
    get<T & { nowMs?: number; cost?: { commands: number; tookMs: number } }>(path, mine.signal).then(
      (data) => {
        if (data.nowMs) hear(data.nowMs)
        if (data.cost) spent(path, data.cost)
        remember(path, data)
        settle({ data, failure: undefined })
      },
      (error: unknown) => {
        if (error instanceof ApiFailure) settle({ failure: error })
      },
    )
  }, [path])

  useEffect(() => {
    load()
    return () => abort.current?.abort()
  }, [load])

  // Pushed data is polled while the connection is lost.
  const pollMs = topic ? (live.value === 'off' ? 10_000 : undefined) : everyMs
  useEffect(() => {
    if (!pollMs) return
    const timer = setInterval(() => document.hidden || load(), pollMs)
    return () => clearInterval(timer)
  }, [load, pollMs])

  useTopic(topic ?? null, (message) => {
    if (path === null || timeOf(message) < timeOf(state.current.data)) return
    abort.current?.abort()
    Object.assign(state.current, { data: message as T, failure: undefined, loading: false })
    remember(path, message)
    draw((n) => n + 1)
  })

  return { data: state.current.data, failure: state.current.failure, loading: state.current.loading, reload: load }
}
