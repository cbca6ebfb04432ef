/**
 * Checks that the last requests before a promotion rule out a gross failure. Pure.
 *
 * With little traffic, the last minutes hold a handful of requests, and a collection that fails every third request may look
 * healthy by chance for a while. So the newest requests of the last stage must have so few failures that a gross failure
 * would show as few with a probability of at most `ALPHA`.
 */
import { percent } from './findings.ts'
import { binomialTail } from './statistics.ts'
import type { Minute } from './tally.ts'

/** A gross failure: this share of errors, or this multiple of the limit if that is higher. */
const GROSS = { share: 0.3, timesLimit: 6 }
const ALPHA = 1e-5

/**
 * Returns the reason not to promote yet; null where the newest requests rule a gross failure out. A stage with fewer
 * requests than that takes may have no failure at all. It only delays: no collection is rolled back for it, however long
 * it waits.
 */
export function grossFailureOf(minutes: readonly Minute[], errorLimit: number): string | null {
  const gross = Math.min(1, Math.max(GROSS.share, GROSS.timesLimit * errorLimit))
  if (errorLimit >= gross) return null
  const needed = gross === 1 ? 1 : Math.ceil(Math.log(ALPHA) / Math.log(1 - gross))
  let [requests, errors] = [0, 0]
  for (const { new: seen } of [...minutes].sort((a, b) => b.minute - a.minute)) {
    requests += seen.requests
    errors += seen.errors
    if (requests >= needed) break
  }
  const chance = 1 - binomialTail(errors + 1, requests, gross)
  if (errors === 0 || chance <= ALPHA) return null
  return `${errors} of the last ${requests} requests failed, which does not rule an error rate of ${percent(gross)} out`
}
