import { describe, expect, test } from 'vitest'
import { describeObstruction, Obstruction } from '../../src/redis/obstruction.ts'
import type { Look, Obstacle, Sifted } from '../../src/redis/obstruction.ts'

/** A queue as looks see it, and a clock that goes from one look to the next. */
class Queue {
  readonly members = new Map<string, { score: number; obstacle: Obstacle | undefined }>()
  readonly obstruction = new Obstruction(0)
  nowMs = 0
  looks = 0

  add(prefix: string, count: number, score: number, obstacle: Obstacle | 'none' = 'held'): void {
    for (let i = 0; i < count; i++)
      this.members.set(`${prefix}${String(i).padStart(6, '0')}`, {
        score: score + i,
        obstacle: obstacle === 'none' ? undefined : obstacle,
      })
  }

  /** Looks until the answer is yes, or the time is over; what was found meanwhile. */
  lookUntil(done: (found: readonly string[]) => boolean, forMs: number): string[] {
    const found: string[] = []
    for (const endMs = this.nowMs + forMs; !done(found) && this.nowMs < endMs;) {
      const look = this.obstruction.next(this.nowMs)
      if (look) found.push(...this.obstruction.found(look, this.#page(look), 5, this.nowMs))
      else this.nowMs += Math.max(1, this.obstruction.pauseMs(this.nowMs))
      this.looks += look ? 1 : 0
    }
    return found
  }

  #page({ after, count }: Look): Sifted[] {
    const sorted = [...this.members].sort(([a, x], [b, y]) => x.score - y.score || (a < b ? -1 : 1))
    const from = after
      ? sorted.findIndex(
          ([id, { score }]) => score > Number(after.score) || (score === Number(after.score) && id > after.jobId),
        )
      : 0
    if (from === -1) return []
    return sorted
      .slice(from, from + count)
      .map(([jobId, { score, obstacle }]) => ({ jobId, score: String(score), obstacle }))
  }
}

describe('a stretch of jobs that cannot be claimed', () => {
  test('is passed in few bounded looks, up to the job behind it', () => {
    const queue = new Queue()
    queue.add('held', 20_000, 0)
    queue.add('job', 1, 50_000, 'none')
    queue.lookUntil(() => queue.obstruction.mode === 'known', 60_000)
    expect(queue.obstruction.anchor?.jobId).toBe('held019999')
    expect(queue.looks).toBeLessThan(20)
    expect(queue.nowMs).toBeLessThan(1_000)
    const report = { queueName: 'q', ...queue.obstruction.report(queue.nowMs)! }
    expect(describeObstruction(report)).toBe(
      "queue 'q': 20000 due jobs at its head cannot be claimed by this worker (20000 held by other workers); the first is " +
        "'held000000'; jobs behind them still run",
    )
    expect(queue.obstruction.report(queue.nowMs + 1_000)).toBeUndefined()
  })

  test('is looked at again: a job that is queued before it, or can be claimed by now, is found', () => {
    const queue = new Queue()
    queue.add('held', 5_000, 0)
    queue.lookUntil(() => queue.obstruction.mode === 'known', 60_000)
    queue.add('early', 1, -1_000, 'none')
    expect(queue.lookUntil((found) => found.length > 0, 2_000)).toEqual(['early000000'])
    queue.members.delete('early000000')
    queue.members.get('held002500')!.obstacle = undefined
    expect(queue.lookUntil((found) => found.length > 0, 10_000)).toEqual(['held002500'])
  })

  test('is never left with jobs in it that were found and had no room', () => {
    const queue = new Queue()
    queue.add('held', 5_000, 0)
    queue.lookUntil(() => queue.obstruction.mode === 'known', 60_000)
    for (const member of queue.members.values()) member.obstacle = undefined
    const taken = new Set<string>()
    for (let i = 0; i < 10_000 && queue.obstruction.mode === 'known'; i++) {
      for (const id of queue.lookUntil((found) => found.length > 0, 3_000)) {
        taken.add(id)
        queue.members.delete(id)
      }
    }
    expect(queue.obstruction.mode).toBe('clear')
    expect(taken.size + queue.members.size).toBe(5_000)
  })

  test('gives jobs without a payload out at a bounded pace, once the way around is known', () => {
    const queue = new Queue()
    queue.add('expired', 3_000, 0, 'expired')
    expect(queue.obstruction.takeExpired(5, 0)).toEqual([])
    queue.lookUntil(() => queue.obstruction.mode === 'known', 60_000)
    expect(queue.obstruction.takeExpired(5, queue.nowMs)).toHaveLength(5)
    expect(queue.obstruction.takeExpired(5, queue.nowMs)).toEqual([])
    expect(queue.obstruction.takeExpired(5, queue.nowMs + 5)).toHaveLength(5)
  })

  test('ends where too few obstacles are left', () => {
    const queue = new Queue()
    queue.add('held', 500, 0)
    queue.lookUntil(() => queue.obstruction.mode === 'known', 60_000)
    for (const id of [...queue.members.keys()].slice(50)) queue.members.delete(id)
    queue.lookUntil(() => queue.obstruction.mode === 'clear', 10_000)
    expect(queue.obstruction.mode).toBe('clear')
  })
})
