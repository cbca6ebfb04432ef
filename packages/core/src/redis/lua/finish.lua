-- Ends jobs of one queue for good: the result is stored, everything else of the job goes, the end is counted. arq's
-- finish_job and finish_failed_job.
-- Fenced: nothing happens to a job whose in-progress key holds another token. A lease that lapsed but that nobody
-- else took since (same try, still queued) still counts as held; a repeated call whose reply was lost counts as done.
--
-- KEYS[1] -> arq:abort, KEYS[2] -> arq:dead, KEYS[3] -> queue, KEYS[4] -> arq:stats:<queue>
-- then for each job: arq:in-progress:<id>, arq:job:<id>, arq:retry:<id>, arq:result:<id>, and for a dead letter
--   arq:dead:<id>
-- ARGV[1] -> queue name
-- then for each job: id, token, try, outcome (complete, failed or aborted: what is counted), result TTL in ms (0 for
--   ever, -1 none), ms to keep the in-progress key (0 none), result, and then 0, or for a dead letter: 1, its TTL in
--   ms, payload, function, error
-- Output: for each job 1 (done) or 0 (lost)
local queue = KEYS[3]
local aborts = redis.call('EXISTS', KEYS[1]) == 1
local counts = {}
local out = {}
local k, a = 5, 2
while a <= #ARGV do
  local in_progress, job, retry, result = unpack(KEYS, k, k + 3)
  local id, token, try, outcome, ttl, keep, value, is_dead = unpack(ARGV, a, a + 7)
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
    counts[outcome] = (counts[outcome] or 0) + 1
    if aborts then redis.call('ZREM', KEYS[1], id) end
    redis.call('PUBLISH', result, id)
    if is_dead == '1' then
      local time = redis.call('TIME')
      local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
      local dead_ttl, payload, name, error = unpack(ARGV, a + 8, a + 11)
      redis.call('ZADD', KEYS[2], now, id)
      redis.call('HSET', KEYS[k + 4], 'payload', payload, 'queue', ARGV[1], 'function', name, 'error', error,
        'try', try, 'failedAt', now)
      redis.call('PEXPIRE', KEYS[k + 4], dead_ttl)
    end
  elseif not holder and ttl ~= '-1' then
    held = redis.call('GET', result) == value
  end
  out[#out + 1] = held and 1 or 0
  k = k + (is_dead == '1' and 5 or 4)
  a = a + (is_dead == '1' and 12 or 8)
end
for outcome, count in pairs(counts) do
  redis.call('HINCRBY', KEYS[4], outcome, count)
end
return out
