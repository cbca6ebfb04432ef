-- Takes due jobs whose payload is gone, so that they end as arq's "job expired". A job that has a kept result ended
-- before: Python's Job.abort() may have put its id back afterwards. It leaves the queue, and nothing else changes; the
-- fence of finish.lua may still stand.
-- The new score has the mark of a lease and the deaths, as claim.lua writes them.
-- Repeating a call whose reply was lost gives the same jobs without counting another try.
--
-- KEYS[1] -> queue, KEYS[2] -> <queue>:reserved
-- then for each job: arq:in-progress:<id>, arq:job:<id>, arq:retry:<id>, arq:result:<id>
-- ARGV[1] -> token, ARGV[2] -> lease in ms, ARGV[3] -> TTL of the try counter in s, ARGV[4] -> where the id begins in
--   arq:in-progress:<id>, from 1
-- Output: for each job its score, its try and its deaths, or false, 0 and 0 where it was not taken; then, where there are
--   faults, a list of them: number of the job, of the key, reason
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, lease = ARGV[1], ARGV[2]
local max_deaths = 63
local out, faults = {}, {}
for k = 3, #KEYS, 4 do
  local in_progress, job, retry, result = unpack(KEYS, k, k + 3)
  local id = string.sub(in_progress, tonumber(ARGV[4]))
  local score = tonumber(redis.call('ZSCORE', KEYS[1], id))
  local number = (k + 1) / 4
  local taken, try = false, 0
  local units = score and math.abs(score) < 9e15 and math.floor(score % 1 * 128 + 0.5) or 0
  local deaths = math.floor(units / 2)
  local holder = redis.pcall('GET', in_progress)
  if score and holder == token then
    local counted = redis.pcall('GET', retry)
    taken, try = score, type(counted) == 'string' and tonumber(counted) or 1
  elseif
    score
    and score <= now
    and score ~= -math.huge
    and (not holder or holder == 'ended')
    and redis.call('EXISTS', job) == 0
  then
    if holder or redis.call('EXISTS', result) == 1 then
      redis.call('ZREM', KEYS[1], id)
      redis.pcall('ZREM', KEYS[2], id)
    else
      try = redis.pcall('INCR', retry)
      if type(try) == 'table' then
        local n = #faults
        faults[n + 1], faults[n + 2], faults[n + 3] = number, k + 2, try.err
        try = 0
      else
        redis.call('EXPIRE', retry, ARGV[3])
        redis.call('SET', in_progress, token, 'PX', lease)
        deaths = math.min(deaths + units % 2, max_deaths)
        redis.call('ZADD', KEYS[1], 'XX', string.format('%.7f', now + lease + (2 * deaths + 1) / 128), id)
        taken = score
      end
    end
  end
  out[3 * number - 2], out[3 * number - 1], out[3 * number] = taken, try, taken and deaths or 0
end
if #faults > 0 then out[#out + 1] = faults end
return out
