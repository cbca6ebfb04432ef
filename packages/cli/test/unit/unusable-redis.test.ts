import { RedisReplyError, RedisUnavailableError } from '@arq-ts/core'
import { describe, expect, test } from 'vitest'
import { unusableRedis } from '../../src/unusable-redis.ts'

const ADDRESS = 'redis://h:6379/0'
const failed = (message: string, cause?: Error) => new RedisUnavailableError(message, cause && { cause })
const said = (thrown: Error, logged?: Error) => {
  const { message, hint } = unusableRedis(ADDRESS, thrown, logged)
  return `${message}\n${hint}`
}

describe('a command that Redis did not serve', () => {
  test.each([
    ['READONLY', /^Redis at redis:\/\/h:6379\/0 is a replica.*\n.*its primary/],
    ['MOVED', /is a node of a Redis Cluster: MOVED .*\n.*cluster: true/],
    ['ASK', /is a node of a Redis Cluster: ASK /],
    ['TRYAGAIN', /is moving the slot of these keys/],
    ['OOM', /is full, and takes no writes: OOM /],
  ])('names the refusal %s, and what to do', (prefix, expected) => {
    const refusal = new RedisReplyError(`${prefix} words of the server`)
    expect(said(failed('Redis call failed', refusal))).toMatch(expected)
    expect(said(failed('the connection was closed'), refusal)).toMatch(expected)
  })

  test('goes by what refused this call, not by an earlier refusal', () => {
    const thrown = failed('Redis call failed', new RedisReplyError('READONLY words'))
    expect(said(thrown, new RedisReplyError('OOM words'))).toMatch(/is a replica/)
  })

  test('advises no start of a server that stands still, whatever it said before', () => {
    const still = failed('Redis at h:6379 did not answer within 3000 ms: it takes connections and answers nothing')
    expect(said(still, new RedisReplyError('LOADING words'))).toBe(
      `${still.message}\nLook at its log: is it paused, or busy with one long command?`,
    )
  })

  test('advises to start one that is not there', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    expect(said(failed('did not answer'), refused)).toMatch(
      /^cannot reach Redis at \S+: nothing listens there\nStart it/,
    )
  })
})
