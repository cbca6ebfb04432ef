import { checkOptions } from '@arq-ts/core'
import type { LimitSettings, LimitStatus, Rate } from '@arq-ts/core'
import { z } from 'zod'
import { answer, given } from '../act/answer.ts'
import { audited } from '../act/audit.ts'
import type { ActAnswer } from '../api/types.ts'
import type { Board } from '../board.ts'
import type { Context } from '../routes.ts'

const key = z.string().min(1).max(1_000).optional()
const count = z.number().int().min(0).max(1_000_000_000)
const bodies = {
  set: z.strictObject({
    key,
    concurrency: count.nullable().optional(),
    rate: z
      .strictObject({ count: count.min(1), perMs: count.min(1), burst: count.min(1).optional() })
      .nullable()
      .optional(),
  }),
  clear: z.strictObject({ key }),
}

/** `POST /api/limits/:name` */
export async function setLimit(board: Board, { body, params, user }: Context): Promise<ActAnswer> {
  const asked = checkOptions('limit', bodies.set, body)
  const what = nameOf(params.id!, asked.key)
  const before = await board.client.limits.get(params.id!, given({ key: asked.key }))
  const text = `set the limit "${what}"${changeText(before, asked as LimitSettings)}`
  const entry = { action: 'set-limit' as const, target: `limit ${what}`, count: 1, text }
  return audited(board, user, entry, async () => {
    const rate = asked.rate && (given(asked.rate) as Rate)
    await board.client.limits.set(params.id!, given({ ...asked, rate }))
    return answer(true, `Set "${what}". It applies from the next start on; running jobs continue.`)
  })
}

/** `POST /api/limits/:name/clear` */
export async function clearLimit(board: Board, { body, params, user }: Context): Promise<ActAnswer> {
  const asked = checkOptions('clear', bodies.clear, body)
  const what = nameOf(params.id!, asked.key)
  const before = await board.client.limits.get(params.id!, given({ key: asked.key }))
  const text = `take back what was set of the limit "${what}"${before.isSet ? changeText(before, {}) : ''}`
  return audited(board, user, { action: 'set-limit', target: `limit ${what}`, count: 1, text }, async () => {
    const wasSet = await board.client.limits.clear(params.id!, given(asked))
    return answer(wasSet, wasSet ? `The bounds that tasks declare apply again to "${what}".` : 'Nothing was set.')
  })
}

/** The bounds that a change is about, before and after it: `: jobs at a time 1 → 3; starts none set → 5 in 1000 ms`. */
function changeText(before: LimitStatus, after: LimitSettings): string {
  const bounds = [
    ['jobs at a time', before.concurrency, after.concurrency],
    ['starts', before.rate && rateText(before.rate), after.rate && rateText(after.rate)],
  ] as const
  const changes = bounds
    .filter(([, old, fresh]) => old !== null || fresh !== undefined)
    .map(
      ([name, old, fresh]) =>
        `${name} ${old ?? 'none set'} → ${fresh === null ? 'unbounded' : (fresh ?? 'as declared')}`,
    )
  return changes.length > 0 ? `: ${changes.join('; ')}` : ''
}

function rateText({ burst = 1, count: starts, perMs }: Rate): string {
  return `${starts} in ${perMs} ms${burst > 1 ? `, ${burst} at once` : ''}`
}

function nameOf(name: string, of: string | undefined): string {
  return of === undefined ? name : `${name}:${of}`
}
