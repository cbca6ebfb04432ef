-- Takes jobs from workers that are gone: if the in-progress key still holds what was seen, it goes, and the job is due
-- now. A job that another worker has claimed since is left alone.
--
-- KEYS[1] -> queue, KEYS[2..] -> arq:in-progress:<id> of each job
-- ARGV[1] -> wake channel, then for each job: id, what the in-progress key held
-- Output: for each job 1 (freed) or 0 (left)
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local out = {}
for i = 1, #KEYS - 1 do
  local id, seen = ARGV[2 * i], ARGV[2 * i + 1]
  out[i] = 0
  if redis.call('GET', KEYS[i + 1]) == seen then
    redis.call('DEL', KEYS[i + 1])
    if redis.call('ZSCORE', KEYS[1], id) then redis.call('ZADD', KEYS[1], now, id) end
    out[i] = 1
  end
end
redis.pcall('PUBLISH', ARGV[1], now)
return out
