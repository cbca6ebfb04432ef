-- Ends jobs for good: the result is stored, everything else of the job goes; arq's finish_job and finish_failed_job.
-- Fenced: nothing happens to a job whose in-progress key holds another token. A lease that lapsed but that nobody
-- else took since (same try, still queued) still counts as held; a repeated call whose reply was lost counts as done.
--
-- KEYS[1] -> arq:abort, KEYS[2] -> arq:dead
-- then for each job: queue, arq:in-progress:<id>, arq:job:<id>, arq:retry:<id>, arq:result:<id>, and for a dead letter
--   arq:dead:<id>
-- ARGV, for each job: id, token, try, result TTL in ms (0 for ever, -1 none), ms to keep the in-progress key (0 none),
--   result, and then 0, or for a dead letter: 1, its TTL in ms, payload, queue name, function, error
-- Output: for each job 1 (done) or 0 (lost)
local aborts = redis.call('EXISTS', KEYS[1]) == 1
local out = {}
local k, a = 3, 1
while a <= #ARGV do
  local queue, in_progress, job, retry, result = unpack(KEYS, k, k + 4)
  local id, token, try, ttl, keep, value, is_dead = unpack(ARGV, a, a + 6)
  local holder = redis.call('GET', in_progress)
  local held = holder == token
    or (not holder and redis.call('GET', retry) == try and redis.call('ZSCORE', queue, id) and true or false)
  if held then
    if keep == '0' then
      redis.call('DEL', in_progress, job, retry)
    else
      redis.call('SET', in_progress, token, 'PX', keep)
      redis.call('DEL', job, retry)
    end
    if ttl == '0' then
      redis.call('SET', result, value)
    elseif ttl ~= '-1' then
      redis.call('SET', result, value, 'PX', ttl)
    end
    redis.call('ZREM', queue, id)
    if aborts then redis.call('ZREM', KEYS[1], id) end
    redis.call('PUBLISH', result, id)
    if is_dead == '1' then
      local time = redis.call('TIME')
      local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
      local dead_ttl, payload, queue_name, name, error = unpack(ARGV, a + 7, a + 11)
      redis.call('ZADD', KEYS[2], now, id)
      redis.call('HSET', KEYS[k + 5], 'payload', payload, 'queue', queue_name, 'function', name, 'error', error,
        'try', try, 'failedAt', now)
      redis.call('PEXPIRE', KEYS[k + 5], dead_ttl)
    end
  elseif not holder and ttl ~= '-1' then
    held = redis.call('GET', result) == value
  end
  out[#out + 1] = held and 1 or 0
  k = k + (is_dead == '1' and 6 or 5)
  a = a + (is_dead == '1' and 12 or 7)
end
return out
