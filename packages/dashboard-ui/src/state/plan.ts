import { signal } from '@preact/signals'
import type { PlanRequest } from '@arq-ts/dashboard/api'

/** The plan that the sheet shows; null while it is closed. */
export const planned = signal<{ request: PlanRequest; verb: string } | null>(null)

/** Opens the sheet with a plan: it freezes what the act would touch, and changes nothing. */
export function openPlan(request: PlanRequest, verb: string): void {
  planned.value = { request, verb }
}
