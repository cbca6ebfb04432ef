import { defineScript } from '@arq-ts/core/task-kit'

/**
 * Replaces the state of one key if it is still the one that was read, with the cache entry and the sets of dirty keys.
 *
 * KEYS: state, cache entry, lease of a load, dirty, waiting, totals.
 * ARGV: stamp that was read ('' for none), new stamp, state, '1' and value or '0' for no value that waits, then for the
 * cache 'set', 'delete' or '', value, ttl in ms (0 for none), then for the sets the score ('+inf' for a dead key), key,
 * now in ms, ms for which a clean key is remembered, what is counted ('' for nothing), most dirty keys (0 for any number).
 * Output: 0 (another was faster), 1 (done), 2 (done, and there was an entry to delete), -1 (the dirty keys are full).
 */
export const SWAP = defineScript(`
if (redis.call('HGET', KEYS[1], 'stamp') or '') ~= ARGV[1] then return 0 end
local limit = tonumber(ARGV[14])
if limit > 0 and not redis.call('ZSCORE', KEYS[4], ARGV[10]) and redis.call('ZCARD', KEYS[4]) >= limit then return -1 end
redis.call('HSET', KEYS[1], 'stamp', ARGV[2], 'state', ARGV[3])
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'value', ARGV[5])
  redis.call('PERSIST', KEYS[1])
  redis.call('ZADD', KEYS[4], ARGV[9], ARGV[10])
  if ARGV[9] == '+inf' then redis.call('ZREM', KEYS[5], ARGV[10])
  else redis.call('ZADD', KEYS[5], 'NX', ARGV[11], ARGV[10]) end
else
  redis.call('HDEL', KEYS[1], 'value')
  redis.call('PEXPIRE', KEYS[1], ARGV[12])
  redis.call('ZREM', KEYS[4], ARGV[10])
  redis.call('ZREM', KEYS[5], ARGV[10])
end
if ARGV[13] ~= '' then redis.call('HINCRBY', KEYS[6], ARGV[13], 1) end
if ARGV[6] == 'set' then
  if ARGV[8] == '0' then redis.call('SET', KEYS[2], ARGV[7]) else redis.call('SET', KEYS[2], ARGV[7], 'PX', ARGV[8]) end
end
if ARGV[6] ~= '' then redis.call('DEL', KEYS[3]) end
if ARGV[6] == 'delete' then return 1 + redis.call('DEL', KEYS[2]) end
return 1
`)

/**
 * Reads the state of many keys.
 *
 * KEYS: one state per key. Output: of each its stamp and state as one string, and its value; false where there is none,
 * and 'wrong' for a key of another type, which must not keep the others from being read.
 */
export const READ_MANY = defineScript(`
local found = {}
for i = 1, #KEYS do
  local fields = redis.pcall('HMGET', KEYS[i], 'stamp', 'state', 'value')
  if fields.err then fields = {'', 'wrong', false} end
  found[2 * i - 1], found[2 * i] = fields[1] and fields[2] and fields[1] .. fields[2], fields[3]
end
return found
`)

/**
 * Reads keys that are due by Redis's clock, the most overdue first.
 *
 * KEYS: dirty. ARGV: keys to pass over, keys at most. Output: the keys.
 */
export const READ_DUE = defineScript(`
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
return redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', ARGV[1], ARGV[2])
`)

/**
 * Reads a page of the dirty keys behind an anchor, in their order. The anchor need not be dirty any more, or may have
 * another score: the page then begins with the first key of the anchor's score.
 *
 * KEYS: dirty. ARGV: the anchor's score ('' to begin at the head), the anchor, the lowest score, keys at most.
 * Output: of each key its name and its score.
 */
export const READ_PAGE = defineScript(`
local rank = ARGV[1] ~= '' and redis.call('ZSCORE', KEYS[1], ARGV[2]) == ARGV[1] and redis.call('ZRANK', KEYS[1], ARGV[2])
local start = rank and rank + 1 or redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. (ARGV[1] == '' and ARGV[3] or ARGV[1]))
return redis.call('ZRANGE', KEYS[1], start, start + ARGV[4] - 1, 'WITHSCORES')
`)

/**
 * Reads the state of many keys with the sizes of their values: a list of keys must not read what may be many megabytes.
 *
 * KEYS: one state per key. Output: as of READ_MANY, with the size in bytes in place of the value.
 */
export const READ_SIZES = defineScript(`
local found = {}
for i = 1, #KEYS do
  local fields = redis.pcall('HMGET', KEYS[i], 'stamp', 'state')
  if fields.err then fields = {'', 'wrong'} end
  local isThere = fields[1] and fields[2]
  found[2 * i - 1] = isThere and fields[1] .. fields[2]
  found[2 * i] = isThere and fields[1] ~= '' and redis.call('HSTRLEN', KEYS[i], 'value') or 0
end
return found
`)

/**
 * Replaces the states of many keys, each if it is still the one that was read. Values stay as they are, or go: an event
 * that brings a value, or changes the cache, is SWAP's.
 *
 * KEYS: dirty, waiting, totals, then one state per key, which is named as `dirty` is, with `state:` and the key at the end.
 * ARGV: new stamp, ms for which a clean key is remembered, what is counted ('' for nothing), then one string for each key:
 * the stamp that was read (36 characters, spaces for none), the score ('' for a key that is clean now, '=' for the one it
 * has), '|' and the state.
 * Output: for each key 0 (another was faster) or 1 (done).
 */
export const SWAP_MANY = defineScript(`
local done, clean, dead, count = {}, {}, {}, 0
local first = #KEYS[1] - #'dirty' + #'state:' + 1
for i = 4, #KEYS do
  local change = ARGV[i]
  local stamp = redis.pcall('HGET', KEYS[i], 'stamp') or string.rep(' ', 36)
  if stamp ~= string.sub(change, 1, 36) then
    done[i - 3] = 0
  else
    local bar = string.find(change, '|', 37, true)
    local score, key = string.sub(change, 37, bar - 1), string.sub(KEYS[i], first)
    redis.call('HSET', KEYS[i], 'stamp', ARGV[1], 'state', string.sub(change, bar + 1))
    if score == '' then
      redis.call('HDEL', KEYS[i], 'value')
      redis.call('PEXPIRE', KEYS[i], ARGV[2])
      clean[#clean + 1] = key
    elseif score ~= '=' then
      redis.call('ZADD', KEYS[1], score, key)
      if score == '+inf' then dead[#dead + 1] = key end
    end
    done[i - 3] = 1
    count = count + 1
  end
end
local function remove(from, keys)
  for i = 1, #keys, 1000 do redis.call('ZREM', from, unpack(keys, i, math.min(i + 999, #keys))) end
end
remove(KEYS[1], clean)
remove(KEYS[2], clean)
remove(KEYS[2], dead)
if ARGV[3] ~= '' and count > 0 then redis.call('HINCRBY', KEYS[3], ARGV[3], count) end
return done
`)

/**
 * Begins to load a key for which the cache has nothing, unless another loads it.
 *
 * KEYS: cache entry, state, lease, tokens. ARGV: ms the lease holds.
 * Output: ['hit', value], ['waits', state, value of a write that waits], ['held', ms the lease still holds] or
 * ['load', token]. A token is larger than all before it, though Redis has lost them: it is the time in microseconds.
 */
export const BEGIN_LOAD = defineScript(`
local value = redis.call('GET', KEYS[1])
if value then return {'hit', value} end
local pending = redis.call('HMGET', KEYS[2], 'state', 'value')
if pending[2] then return {'waits', pending[1], pending[2]} end
local left = redis.call('PTTL', KEYS[3])
if left > 0 then return {'held', left} end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[4]) or 0)
local token = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
redis.call('SET', KEYS[4], token)
redis.call('SET', KEYS[3], token, 'PX', ARGV[1])
return {'load', token}
`)

/**
 * Ends or extends a load, if its lease is still the caller's. A write or a deletion of the key takes the lease away, as a
 * loader that comes later does: what was read before must not replace what is newer.
 *
 * KEYS: cache entry, lease. ARGV: token, 'store', 'renew' or 'release', then value and ttl in ms (0 for none), or the ms
 * the lease holds. Output: 1 (done), 0 (the lease is not the caller's).
 */
export const END_LOAD = defineScript(`
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if ARGV[2] == 'renew' then return redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
redis.call('DEL', KEYS[2])
if ARGV[2] == 'store' then
  if ARGV[4] == '0' then redis.call('SET', KEYS[1], ARGV[3]) else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) end
end
return 1
`)
