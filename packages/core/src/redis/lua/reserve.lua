-- Finds due jobs and sets them aside for the caller, so that no two workers of ours try for the same ones.
-- The queue itself is only read: Python sees nothing, and a job Python runs (it stays at the head) is passed over
-- while its reservation, made by claim.lua, lasts.
--
-- KEYS[1] -> queue, KEYS[2] -> <queue>:reserved, KEYS[3] -> arq:paused
-- ARGV[1] -> how many, ARGV[2] -> reservation in ms, ARGV[3..] -> ids to pass over
-- Output: now in unix ms, due time of the first job that is not due yet or -1, then the ids
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('SISMEMBER', KEYS[3], KEYS[1]) == 1 then return { now, -1 } end
local want = tonumber(ARGV[1])
local passed = {}
for i = 3, #ARGV do passed[ARGV[i]] = true end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local reserved = redis.call('ZCARD', KEYS[2])
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, want + reserved + #ARGV - 2)
local out = { now, -1 }
local entries = {}
local until_ms = string.format('%.0f', now + ARGV[2])
for from = 1, #due, 1000 do
  local last = math.min(from + 999, #due)
  local taken = reserved > 0 and redis.call('ZMSCORE', KEYS[2], unpack(due, from, last)) or {}
  for i = from, last do
    local id = due[i]
    if #out - 2 == want then break end
    if not passed[id] and not taken[i - from + 1] then
      out[#out + 1] = id
      entries[#entries + 1] = until_ms
      entries[#entries + 1] = id
    end
  end
end
for from = 1, #entries, 1000 do
  redis.call('ZADD', KEYS[2], unpack(entries, from, math.min(from + 999, #entries)))
end
if #out - 2 < want then
  local later = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if later[2] then out[2] = tonumber(later[2]) end
end
return out
