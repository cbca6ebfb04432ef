import { describe, expect, test } from 'vitest'
import { RedisReplyError } from '../../src/errors.ts'
import { reasonOf, withAdvice } from '../../src/redis/reasons.ts'

describe('the reason of a refusal', () => {
  test('says what to do, behind the words of the server', () => {
    const reply = new RedisReplyError("OOM command not allowed when used memory > 'maxmemory'.")
    expect(reasonOf(reply)).toBe(
      "OOM command not allowed when used memory > 'maxmemory'; raise maxmemory, or remove what is not needed",
    )
    expect(reasonOf(new RedisReplyError('MOVED 1 127.0.0.1:7001'))).toContain('give it as redis: { cluster: [...] }')
  })

  test('is left as it is where nothing is to be added', () => {
    expect(withAdvice('ERR wrong number of arguments')).toBe('ERR wrong number of arguments')
  })
})
