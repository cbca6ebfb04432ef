-- Finds due jobs and sets them aside for the caller, so that no two workers of ours try for the same ones.
-- The queue itself is only read: Python sees nothing, and a job Python runs (it stays at the head) is passed over
-- while its reservation, made by claim.lua, lasts.
-- What is set aside mostly stands at the head. Many workers set much aside: they then look behind it only, and over all
-- of it where that finds too little, or a job that is set aside, which shows that another one stands before it.
-- A call never looks at more than a bounded number of members: what stands in the way of more is passed by an anchor,
-- the last member of a stretch that is known to hold nothing for this worker.
-- Where the set of reservations or that of paused queues is none, the worker does without, and it is reported.
--
-- KEYS[1] -> queue, KEYS[2] -> <queue>:reserved, KEYS[3] -> arq:paused
-- ARGV[1] -> how many, ARGV[2] -> reservation in ms, ARGV[3] -> '1' to look over all, ARGV[4] -> how many members to
--   look at, at most, ARGV[5] -> the anchor's score or '', ARGV[6] -> the anchor's id, ARGV[7..] -> ids to pass over
-- Output: now in unix ms, due time of the first job that is not due yet or -1, then the ids; then, where there are
--   faults, a list of them: 0, number of the key, reason
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local faults = {}
local function fault(key, reply)
  if type(reply) == 'table' and reply.err then
    local n = #faults
    faults[n + 1], faults[n + 2], faults[n + 3] = 0, key, reply.err
    return true
  end
end
local paused = redis.pcall('SISMEMBER', KEYS[3], KEYS[1])
fault(3, paused)
if paused == 1 then return { now, -1 } end
local want, bound = tonumber(ARGV[1]), tonumber(ARGV[4])
local passed = {}
for i = 7, #ARGV do passed[ARGV[i]] = true end
local reserved = 0
if not fault(2, redis.pcall('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)) then
  reserved = redis.call('ZCARD', KEYS[2])
end
local before = reserved + #ARGV - 6
local start = 0
if ARGV[5] ~= '' then
  local rank = redis.call('ZSCORE', KEYS[1], ARGV[6]) == ARGV[5] and redis.call('ZRANK', KEYS[1], ARGV[6])
  start = rank and rank + 1 or redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[5])
end

-- Ranks are found at once, however many members stand before them; an offset into a range of scores is walked.
local function due_from(offset, count)
  if start == 0 then return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', offset, count) end
  local members = redis.call('ZRANGE', KEYS[1], start + offset, start + offset + count - 1, 'WITHSCORES')
  local due = {}
  for i = 1, #members, 2 do
    if tonumber(members[i + 1]) > now then break end
    due[#due + 1] = members[i]
  end
  return due
end

local function find(offset, count)
  local due = due_from(offset, math.min(count, bound))
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
  redis.pcall('ZADD', KEYS[2], unpack(entries, from, math.min(from + 999, #entries)))
end
if #ids < want then
  local later = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local at = tonumber(later[2])
  if at and at < 9e15 then out[2] = at end
end
if #faults > 0 then out[#out + 1] = faults end
return out
