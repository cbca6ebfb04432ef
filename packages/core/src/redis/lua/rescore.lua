-- Gives waiting jobs another score while they still have the one that was seen. A job that runs is left alone.
--
-- KEYS[1] -> queue, KEYS[2] -> <queue>:reserved, KEYS[3..] -> arq:in-progress:<id> of each job
-- ARGV[1] -> wake channel, ARGV[2..] -> for each job its id, the score that was seen, and the new one
-- Output: for each job 0 (changed, left), 1 (rescheduled) or 2 (runs, left)
for i = 1, 2 do redis.call('ZCARD', KEYS[i]) end
-- The fence of an ended job, see finish.lua, is no run.
local function runs(key)
  local holder = redis.pcall('GET', key)
  return holder and holder ~= 'ended'
end
local out = {}
for i = 1, #KEYS - 2 do
  local id, from, to = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  local score = redis.call('ZSCORE', KEYS[1], id)
  if not score or tonumber(score) ~= tonumber(from) then
    out[i] = 0
  elseif runs(KEYS[i + 2]) then
    out[i] = 2
  else
    redis.call('ZADD', KEYS[1], to, id)
    redis.call('ZREM', KEYS[2], id)
    out[i] = 1
  end
end
redis.pcall('PUBLISH', ARGV[1], '0')
return out
