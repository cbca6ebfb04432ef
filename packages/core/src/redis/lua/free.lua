-- Takes jobs from workers that are gone: if the in-progress key still holds what was seen, it goes, and the job is due
-- now. A job that another worker has claimed since is left alone, and so is one whose key holds no string.
--
-- KEYS[1] -> queue, KEYS[2..] -> arq:in-progress:<id> of each job
-- ARGV[1] -> wake channel, then for each job: id, what the in-progress key held
-- Output: for each job 1 (freed) or 0 (left)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local out = {}
for i = 1, #KEYS - 1 do
  local id, seen = ARGV[2 * i], ARGV[2 * i + 1]
  out[i] = 0
  if redis.pcall('GET', KEYS[i + 1]) == seen then
    -- The queue first: if it is no sorted set, the key stays.
    -- The fraction stays: it marks the death of the worker, see claim.lua.
    local score = tonumber(redis.call('ZSCORE', KEYS[1], id) or 0)
    local fraction = math.abs(score) < 9e15 and score % 1 or 0
    redis.call('ZADD', KEYS[1], 'XX', string.format('%.7f', now + fraction), id)
    redis.call('DEL', KEYS[i + 1])
    out[i] = 1
  end
end
redis.pcall('PUBLISH', ARGV[1], string.format('%.0f', now))
return out
