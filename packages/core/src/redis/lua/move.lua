-- Puts waiting jobs at another place: into another queue, at another time, or both. A job that runs is left alone, and so
-- is one whose id the other queue has.
--
-- KEYS[1] -> queue, KEYS[2] -> the queue to go to, which may be the same, KEYS[3] -> <queue>:reserved,
-- KEYS[4..] -> arq:in-progress:<id> of each job
-- ARGV[1] -> when they are due in unix ms, '' to keep it, ARGV[2] -> wake channel of the other queue, ARGV[3..] -> ids
-- Output: for each job 0 (not there), 1 (moved), 2 (runs, left), or 3 (the other queue has it, left)
-- A key of another type must stop this before it has written anything.
for i = 1, 3 do redis.call('ZCARD', KEYS[i]) end
-- The fraction of a score counts tries that ended with the death of their worker: it stays.
local function due(score)
  local fraction = tonumber(score) % 1
  if fraction ~= fraction then fraction = 0 end
  return string.format('%.10f', ARGV[1] + fraction)
end
-- The fence of an ended job, see finish.lua, is no run.
local function runs(key)
  local holder = redis.pcall('GET', key)
  return holder and holder ~= 'ended'
end
local out = {}
for i = 1, #ARGV - 2 do
  local id = ARGV[i + 2]
  local score = redis.call('ZSCORE', KEYS[1], id)
  if not score then
    out[i] = 0
  elseif runs(KEYS[i + 3]) then
    out[i] = 2
  elseif KEYS[1] ~= KEYS[2] and redis.call('ZSCORE', KEYS[2], id) then
    out[i] = 3
  else
    redis.call('ZADD', KEYS[2], ARGV[1] == '' and score or due(score), id)
    if KEYS[1] ~= KEYS[2] then redis.call('ZREM', KEYS[1], id) end
    redis.call('ZREM', KEYS[3], id)
    out[i] = 1
  end
end
redis.pcall('PUBLISH', ARGV[2], ARGV[1] == '' and '0' or ARGV[1])
return out
