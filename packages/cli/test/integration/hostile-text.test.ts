import { encodeJob } from '@arq-ts/protocol/jobs'
import { takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runHere } from '../support/command.ts'

/** Breaks the line, colours, clears the screen by one character, turns the direction, rings, and ends a line of Unicode's. */
const EVIL = 'x\nFORGED\r\u001B[31m\u009B2J\u202Eevil\u2066\u2028FORGED\u0007'
const QUEUE = `q${EVIL}`
/** Ends in a byte that is no UTF-8. */
const ID = Buffer.concat([Buffer.from(`id${EVIL}`), Buffer.from([0xff])])
/** The same id as the command takes it. */
const TYPED = `id${EVIL}\uDCFF`
// Everything that does not stand for itself; the end of our own lines is all that is left of it.
const UNSEEN = /[^\n\P{Cc}]|[\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/u
// eslint-disable-next-line no-control-regex
const OWN = /\u001B\[(?:1|2|7|22|27|31|32|33|36|39)m|\r\u001B\[K/g

let database: Database

beforeAll(async () => {
  database = await takeDatabase()
  const { redis } = database
  const call = { functionName: `f${EVIL}`, args: [EVIL, { [EVIL]: EVIL }], kwargs: { [`k${EVIL}`]: EVIL } }
  const payload = encodeJob({ ...call, jobTry: null, enqueueTimeMs: 1 }, 'pickle')
  const key = (kind: string) => Buffer.concat([Buffer.from(`arq:${kind}:`), ID])
  await redis.set(key('job'), payload)
  await redis.set(key('error'), EVIL)
  await redis.set(key('retry'), '1')
  await redis.zadd(QUEUE, Date.now() + 3_600_000, ID)
  await redis.zadd('arq:dead', Date.now(), ID)
  await redis.hset(key('dead') as never, {
    payload,
    queue: QUEUE,
    function: `f${EVIL}`,
    error: EVIL,
    try: '1',
    failedAt: '1',
  })
  await redis.zadd('arq:workers', Date.now() + 3_600_000, `w${EVIL}`)
  await redis.set(`arq:worker:w${EVIL}`, EVIL)
  await redis.set(`${QUEUE}:health-check`, EVIL)
  await redis.hset(`arq:stats:${EVIL}`, 'complete', EVIL)
  await redis.rpush(`arq:retry:${EVIL}`, EVIL)
  await redis.sadd('arq:paused', QUEUE)
})
afterAll(() => database.release())

const verbs: readonly (readonly string[])[] = [
  ['queue', 'ls'],
  ['queue', 'show', QUEUE],
  ['job', 'ls'],
  ['job', 'ls', '--status', 'dead', '--status', 'retrying', '--status', 'failed'],
  ['job', 'show', TYPED],
  ['job', 'explain', TYPED],
  ['job', 'show', `none${EVIL}`],
  ['dead', 'ls'],
  ['dead', 'ls', '--group-by', 'error'],
  ['dead', 'ls', '--group-by', 'function'],
  ['dead', 'show', TYPED],
  ['workers', '--functions'],
  ['cron', 'ls'],
  ['schedule', 'put', `s${EVIL}`, `f${EVIL}`, EVIL, '--cron', '0 8 * * *', '--queue', `other${EVIL}`],
  ['schedule', 'ls'],
  ['schedule', 'show', `s${EVIL}`],
  ['schedule', 'rm', `none${EVIL}`],
  ['health', '--deep', '--queue', QUEUE],
  ['doctor'],
  ['job', 'abort', '--queue', QUEUE, '--all', '--dry-run'],
  ['job', 'rm', '--queue', QUEUE, '--all'],
  ['job', 'move', '--queue', QUEUE, '--all', '--to', QUEUE, '--dry-run'],
  ['job', 'run-now', `none${EVIL}`],
  ['job', 'retry', `none${EVIL}`],
  ['dead', 'retry', `none${EVIL}`, '--dry-run'],
  ['queue', 'purge', QUEUE, '--dry-run'],
  ['queue', 'pause', `none${EVIL}`],
  ['queue', 'resume', `none${EVIL}`],
  ['job', 'enqueue', `f${EVIL}`, EVIL, '--queue', `other${EVIL}`, '--job-id', `new${EVIL}`],
]

describe('text of others forges no line and moves no cursor', () => {
  test.each(
    verbs.flatMap((words) => [
      [words, 80] as const,
      [words, undefined] as const,
      [[...words, '--json'], undefined] as const,
    ]),
  )('%j at %s columns', async (words, columns) => {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME }
    const options = columns === undefined ? { env } : { env, columns }
    const { code, stdout, stderr } = await runHere([...words, '--redis', database.url], options)
    expect([0, 1, 2]).toContain(code)
    // Output of our own on a terminal: colours on and off, and a line of progress that is written over.
    const own = columns === undefined ? /$^/ : OWN
    const text = (stdout + stderr).replace(own, '')
    expect(UNSEEN.exec(text)?.[0].codePointAt(0)?.toString(16)).toBe(undefined)
    expect(text.split('\n').filter((line) => /^\W*FORGED/.test(line))).toEqual([])
    if (words.includes('--json')) expect(() => JSON.parse(stdout)).not.toThrow()
  })
})
