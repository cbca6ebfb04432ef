-- Finds due jobs and sets them aside for the caller, so that no two workers of ours try for the same ones.
-- The queue itself is only read: Python sees nothing, and a job Python runs (it stays at the head) is passed over
-- while its reservation, made by claim.lua, lasts.
-- What is set aside mostly stands at the head. Many workers set much aside: they then look behind it only, and over all
-- of it where that finds too little, or a job that is set aside, which tells that another one stands before it.
--
-- KEYS[1] -> queue, KEYS[2] -> <queue>:reserved, KEYS[3] -> arq:paused
-- ARGV[1] -> how many, ARGV[2] -> reservation in ms, ARGV[3] -> '1' to look over all, ARGV[4..] -> ids to pass over
-- Output: now in unix ms, due time of the first job that is not due yet or -1, then the ids
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('SISMEMBER', KEYS[3], KEYS[1]) == 1 then return { now, -1 } end
local want = tonumber(ARGV[1])
local passed = {}
for i = 4, #ARGV do passed[ARGV[i]] = true end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local reserved = redis.call('ZCARD', KEYS[2])
local before = reserved + #ARGV - 3

local function find(offset, count)
  local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', offset, count)
  local ids, met = {}, false
  for from = 1, #due, 1000 do
    local last = math.min(from + 999, #due)
    local taken = reserved > 0 and redis.call('ZMSCORE', KEYS[2], unpack(due, from, last)) or {}
    for i = from, last do
      if #ids == want then break end
      if taken[i - from + 1] then
        met = true
      elseif not passed[due[i]] then
        ids[#ids + 1] = due[i]
      end
    end
  end
  return ids, met
end

local ids, met
if ARGV[3] ~= '1' and before > 0 then ids, met = find(before, want) end
if not ids or met or #ids < want then ids = find(0, want + before) end

local out = { now, -1 }
local entries = {}
local until_ms = string.format('%.0f', now + ARGV[2])
for i, id in ipairs(ids) do
  out[i + 2] = id
  entries[2 * i - 1] = until_ms
  entries[2 * i] = id
end
for from = 1, #entries, 1000 do
  redis.call('ZADD', KEYS[2], unpack(entries, from, math.min(from + 999, #entries)))
end
if #ids < want then
  local later = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if later[2] then out[2] = tonumber(later[2]) end
end
return out
