import { expect, test } from 'vitest'
import { classifyKey } from '../../src/judge/keys.ts'
import type { KeyFacts } from '../../src/judge/keys.ts'

const nowMs = 1_800_000_000_000
const context = {
  queues: ['arq:queue'],
  queued: new Set(['q1']),
  aborted: new Set(['a1']),
  dead: new Set(['d1']),
  failedOver: new Set(['f1']),
  nowMs,
}
const facts = (name: string, changes: Partial<KeyFacts> = {}): KeyFacts => ({
  name,
  type: 'string',
  ttlMs: 5_000,
  ...changes,
})

test.each([
  [facts('arq:queue', { type: 'zset', ttlMs: -1 }), 'queue'],
  [facts('arq:queue:health-check'), 'health'],
  [
    facts('arq:queue:reserved', { type: 'zset', ttlMs: -1, members: new Map([['x', nowMs - 1]]) }),
    'lapsed reservations',
  ],
  [facts('arq:waiting:arq:queue', { type: 'list' }), 'workers that wait'],
  [facts('arq:job:q1'), 'payload of a queued job'],
  [facts('arq:retry:q1'), 'tries of a queued job'],
  [facts('arq:retry:f1'), 'tries of a job that a failover met'],
  [facts('arq:in-progress:e1', { ttlMs: 59_000, holder: 'ended' }), 'minute after an end'],
  [facts('arq:in-progress:l1', { ttlMs: 1_900, holder: '1' }), 'rest of a lease'],
  [facts('arq:in-progress:q1'), 'claim on a queued job'],
  [facts('arq:in-progress:cron:tick:1', { ttlMs: 59_000 }), 'minute after a tick'],
  [facts('arq:result:x'), 'kept result'],
  [facts('arq:dead', { type: 'zset', ttlMs: -1, members: new Map([['d1', 1]]) }), 'index of dead letters'],
  [facts('arq:dead:d1', { type: 'hash' }), 'dead letter'],
  [facts('arq:abort', { type: 'zset', ttlMs: -1, members: new Map([['a1', 1]]) }), 'abort requests'],
])('gives the reason of $name', (key, reason) => {
  expect(classifyKey(key, context)).toEqual({ ok: true, reason })
})

test.each([
  [facts('arq:job:gone'), 'payload without a job'],
  [facts('arq:retry:gone'), 'tries without a job'],
  [facts('arq:retry:f1', { ttlMs: -1 }), 'tries without a job'],
  [facts('arq:in-progress:gone', { holder: '1' }), 'in-progress key without a job'],
  [facts('arq:in-progress:q1', { ttlMs: -1 }), 'in-progress key without expiry'],
  [facts('arq:in-progress:cron:tick:1', { ttlMs: 90_000 }), 'in-progress key without a job'],
  [facts('arq:result:x', { ttlMs: -1 }), 'result without expiry'],
  [facts('arq:dead:gone', { type: 'hash' }), 'dead letter that the index does not name'],
  [facts('arq:abort', { type: 'zset', ttlMs: -1, members: new Map([['b1', 1]]) }), 'abort requests of b1'],
  [
    facts('arq:queue:reserved', { type: 'zset', members: new Map([['x', nowMs + 60_000]]) }),
    '1 reservations that do not lapse',
  ],
  [facts('arq:waiting:arq:queue', { type: 'list', ttlMs: -1 }), 'waiting workers without expiry'],
  [facts('arq:worker:w', { ttlMs: -1 }), 'entry without expiry'],
  [facts('something:else'), 'unknown key'],
])('finds $name without a reason', (key, fault) => {
  expect(classifyKey(key, context)).toEqual({ ok: false, fault })
})
