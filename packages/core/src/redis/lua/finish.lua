-- Ends jobs of one queue for good: the result is stored, everything else of the job goes, the end is counted. arq's
-- finish_job and finish_failed_job.
-- Fenced: nothing happens to a job whose in-progress key holds another token. A lease that lapsed but that nobody
-- else took since (same try, still queued) still counts as held; a repeated call whose reply was lost counts as done.
-- Jobs of a batch mostly end alike: they come by the way they ended. What can be asked or done at once is.
--
-- KEYS[1] -> arq:abort, KEYS[2] -> arq:dead, KEYS[3] -> queue, KEYS[4] -> arq:stats:<queue>
-- then for each job: arq:in-progress:<id>, arq:job:<id>, arq:retry:<id>, arq:result:<id>
-- then for each dead letter: arq:dead:<id>
-- ARGV[1] -> '1' when the batch is sent again after a lost reply, ARGV[2] -> queue name, ARGV[3] -> where the id begins
--   in arq:in-progress:<id>, from 1, ARGV[4] -> number of jobs, ARGV[5] -> number of ways
-- then for each way: how many jobs, token, try, outcome (complete, failed or aborted: what is counted), result TTL in ms
--   (0 for ever, -1 none), ms to keep the in-progress key (0 none)
-- then for each job, those of the first way first: result
-- then for each dead letter: number of its job from 1, its TTL in ms, payload, function, error, try
-- Output: the numbers, from 1, of the jobs that were lost
local queue = KEYS[3]
local resent = ARGV[1] == '1'
local aborts = redis.call('EXISTS', KEYS[1]) == 1
local id_at, jobs, ways = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local values = 5 + 6 * ways
local counts, out, holders = {}, {}, {}
local done, gone, fresh = {}, {}, {}
for from = 1, jobs, 1000 do
  local keys = {}
  for i = from, math.min(from + 999, jobs) do keys[#keys + 1] = KEYS[4 * i + 1] end
  for i, holder in ipairs(redis.call('MGET', unpack(keys))) do holders[from + i - 1] = holder end
end
local i = 0
for way = 1, ways do
  local count, token, try, outcome, ttl, keep = unpack(ARGV, 6 * way, 6 * way + 5)
  local ended = 0
  for _ = 1, tonumber(count) do
    i = i + 1
    local in_progress, job, retry, result = unpack(KEYS, 4 * i + 1, 4 * i + 4)
    local id, value, holder = string.sub(in_progress, id_at), ARGV[values + i], holders[i]
    local held = holder == token
      or (not holder and redis.call('GET', retry) == try and redis.call('ZSCORE', queue, id) and true or false)
    if held then
      gone[#gone + 1], gone[#gone + 2] = job, retry
      if keep == '0' then
        gone[#gone + 1] = in_progress
        ended = ended + 1
      else
        redis.call('SET', in_progress, token, 'PX', keep)
        ended = ended + redis.call('ZREM', queue, id)
      end
      if ttl == '0' then
        redis.call('SET', result, value)
      elseif ttl ~= '-1' then
        redis.call('SET', result, value, 'PX', ttl)
      end
      done[#done + 1] = id
      fresh[i] = id
      redis.pcall('PUBLISH', result, id)
    elseif not holder then
      -- Our own call, come a second time? Its result tells; where none is kept, that nobody has the job any more.
      if ttl == '-1' then
        held = resent and not redis.call('ZSCORE', queue, id)
      else
        held = redis.call('GET', result) == value
      end
    end
    if not held then out[#out + 1] = i end
  end
  if ended > 0 then counts[outcome] = (counts[outcome] or 0) + ended end
end
for from = 1, #done, 1000 do
  local last = math.min(from + 999, #done)
  redis.call('ZREM', queue, unpack(done, from, last))
  if aborts then redis.call('ZREM', KEYS[1], unpack(done, from, last)) end
end
for from = 1, #gone, 1000 do
  redis.call('DEL', unpack(gone, from, math.min(from + 999, #gone)))
end
for outcome, count in pairs(counts) do
  redis.call('HINCRBY', KEYS[4], outcome, count)
end
local letters = values + jobs
for l = 1, #KEYS - 4 - 4 * jobs do
  local at, ttl, payload, name, error, try = unpack(ARGV, letters + 6 * l - 5, letters + 6 * l)
  local id = fresh[tonumber(at)]
  if id then
    local letter = KEYS[4 + 4 * jobs + l]
    local time = redis.call('TIME')
    local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
    redis.call('ZADD', KEYS[2], now, id)
    redis.call('HSET', letter, 'payload', payload, 'queue', ARGV[2], 'function', name, 'error', error,
      'try', try, 'failedAt', now)
    redis.call('PEXPIRE', letter, ttl)
  end
end
return out
