import { describe, expect, test } from 'vitest'
import { fitsCall } from '../../src/redis/reply-shape.ts'
import type { ScriptReply } from '../../src/redis/scripts.ts'

/** Replies that each script gives for two jobs. */
const own = {
  enqueue: [[1_800_000_000_000, 1, 0]],
  renew: [[1_800_000_000_000, 1, 1]],
  reserve: [[1_800_000_000_000], [1_800_000_000_000, Buffer.from('1'), Buffer.from('a')]],
  claim: [[1_800_000_000_000, 5, null, 0, Buffer.from('job')]],
  finish: [[], [2], [1, 2]],
  reschedule: [[1, 0]],
  setTry: [[1]],
  abort: [[0]],
} satisfies Record<string, ScriptReply[][]>
const scripts = Object.keys(own) as (keyof typeof own)[]

describe.each(scripts)('%s', (script) => {
  test.each(own[script].map((reply) => [reply]))('takes its own reply %j', (reply) => {
    expect(fitsCall(script, reply, 2)).toBe(true)
  })

  test.each([
    'PONG',
    Buffer.from('OK'),
    null,
    1,
    [Buffer.from('a')],
    [1_800_000_000_000, 1, 0, 1, 0, 1, Buffer.from('x')].slice(script === 'claim' || script === 'reserve' ? 6 : 0),
  ])('refuses %j', (reply) => {
    expect(fitsCall(script, reply as ScriptReply[], 2)).toBe(false)
  })
})
