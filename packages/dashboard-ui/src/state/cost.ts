import { computed, signal } from '@preact/signals'

/** Answers of the last minute by path, with what they cost Redis. */
const answers = signal<{ path: string; atMs: number; commands: number; tookMs: number }[]>([])

/** Notes the cost of an answer. */
export function spent(path: string, cost: { commands: number; tookMs: number }): void {
  const now = Date.now()
  answers.value = [
    ...answers.value.filter((answer) => now - answer.atMs < 60_000).slice(-99),
    { path, atMs: now, ...cost },
  ]
}

/** Commands and server time that this page took within the last minute. */
export const cost = computed(() => ({
  commands: answers.value.reduce((sum, answer) => sum + answer.commands, 0),
  tookMs: answers.value.reduce((sum, answer) => sum + answer.tookMs, 0),
}))
