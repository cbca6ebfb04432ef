import type { Ending } from '@arq-ts/protocol/jobs'
import type { AttemptEnd } from './middleware.ts'

/** The end of a try as those who observe it see it. */
export function attemptEndOf(ending: Ending, ranMs: number): AttemptEnd {
  switch (ending.kind) {
    case 'release':
      return { outcome: 'released', ranMs }
    case 'reschedule': {
      const { cause, delayMs, error } = ending
      if (cause === 'cancelled') return { outcome: 'released', ranMs }
      return { outcome: 'retried', by: cause, delayMs: delayMs ?? 0, error, ranMs }
    }
    case 'finish':
      if (ending.success) return { outcome: 'complete', result: ending.value, ranMs }
      return ending.aborted ? { outcome: 'aborted', ranMs } : { outcome: 'failed', error: ending.error, ranMs }
  }
}
