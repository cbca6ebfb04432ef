-- Takes reserved jobs for one worker: the in-progress key gets its token and the lease, the score moves to the lease's
-- end, the try is counted. A job that Python holds, that is gone, or that is no longer due is left as it was, and so
-- are all jobs of a queue that was paused since they were reserved.
-- Repeating a call whose reply was lost gives the same jobs without counting another try.
-- Scores move by ZADD INCR, whose keyspace event is 'zincr': a listener for 'zadd' hears producers only.
--
-- KEYS[1] -> queue, KEYS[2] -> <queue>:reserved, KEYS[3] -> arq:abort, KEYS[4] -> arq:paused
-- KEYS[3i+5] -> arq:in-progress:<id>, KEYS[3i+6] -> arq:job:<id>, KEYS[3i+7] -> arq:retry:<id>
-- ARGV[1] -> token, ARGV[2] -> lease in ms, ARGV[3] -> '1' to honour abort requests, ARGV[4] -> lifetime in ms that a
--   payload is left with at least, ARGV[5] -> TTL of the try counter in s, ARGV[6] -> ms to pass a held job over
-- ARGV[7..] -> the ids, in the order of KEYS
-- Output: now, then for each id: 0, or 1 with payload or false, try, 1 if aborted, score before the claim
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, lease, keep = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local paused = redis.call('SISMEMBER', KEYS[4], KEYS[1]) == 1
local aborts = ARGV[3] == '1' and redis.call('EXISTS', KEYS[3]) == 1
local out = { now }
local taken = {}
for i = 0, #ARGV - 7 do
  local id = ARGV[i + 7]
  local in_progress, job, retry = KEYS[3 * i + 5], KEYS[3 * i + 6], KEYS[3 * i + 7]
  local score = redis.call('ZSCORE', KEYS[1], id)
  score = score and tonumber(score)
  local claimed, again = false, false
  if score then
    again = redis.call('GET', in_progress) == token
    claimed = again or (score <= now and not paused and redis.call('SET', in_progress, token, 'NX', 'PX', lease) and true or false)
  end
  if claimed then
    if not again then
      redis.call('ZADD', KEYS[1], 'XX', 'INCR', string.format('%.0f', now + lease - score), id)
    end
    local ttl = redis.call('PTTL', job)
    if ttl >= 0 and ttl < lease + 60000 then redis.call('PEXPIRE', job, lease + keep) end
    local try = again and tonumber(redis.call('GET', retry)) or redis.call('INCR', retry)
    redis.call('EXPIRE', retry, ARGV[5])
    local aborted = aborts and redis.call('ZREM', KEYS[3], id) or 0
    local n = #out
    out[n + 1], out[n + 2], out[n + 3], out[n + 4], out[n + 5] = 1, redis.call('GET', job), try, aborted, score
    taken[#taken + 1] = id
  else
    out[#out + 1] = 0
    if score and score <= now and not paused then
      redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[6]), id)
    else
      taken[#taken + 1] = id
    end
  end
end
for from = 1, #taken, 1000 do
  redis.call('ZREM', KEYS[2], unpack(taken, from, math.min(from + 999, #taken)))
end
return out
