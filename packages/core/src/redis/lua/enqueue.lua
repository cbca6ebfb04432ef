-- Stores jobs and puts them into their queues; an id that is queued, running or has a kept result is left alone.
-- arq's enqueue_job does the same in WATCH, EXISTS, MULTI. An abort that was asked of an earlier job of the id goes.
-- Jobs of a batch mostly go to one queue at one time: where and when is given once per way.
-- Workers are woken by the earliest due time; where one job alone is new and due, by its id too, so that an idle
-- worker need not look for it.
--
-- KEYS[1..ways] -> queue of each way, then for each job: arq:job:<id>, arq:result:<id>, then arq:abort
-- ARGV[1] -> '1' when the batch is sent again after a lost reply: an identical stored payload is then our own
-- ARGV[2] -> how long after its due time a job may start, ms, where it names no expiry itself
-- ARGV[3] -> number of ways, then for each: 'at' or 'in', due (unix ms or ms from now), expiry in ms or '', wake channel
-- then for each job: id, number of its way from 1, payload
-- Output: now in unix ms, then for each job 1 (queued) or 0 (id taken)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local resent = ARGV[1] == '1'
local extra = tonumber(ARGV[2])
local ways = {}
for w = 1, tonumber(ARGV[3]) do
  local kind, due, expires, channel = unpack(ARGV, 4 * w, 4 * w + 3)
  due = tonumber(due)
  if kind == 'in' then due = now + due end
  local ttl = expires ~= '' and tonumber(expires) or math.max(due - now, 0) + extra
  ways[w] = { KEYS[w], string.format('%.0f', due), string.format('%.0f', ttl), channel, due, 0 }
end
local key, arg = #ways, 3 + 4 * #ways
local abort = KEYS[#KEYS]
local out, fresh = { now }, {}
for i = 1, (#ARGV - arg) / 3 do
  local job, result = KEYS[key + 2 * i - 1], KEYS[key + 2 * i]
  local id, way, payload = unpack(ARGV, arg + 3 * i - 2, arg + 3 * i)
  local queued = 0
  if redis.call('EXISTS', job, result) == 0 then
    local to = ways[tonumber(way)]
    -- The queue first: if it is no sorted set, nothing is stored.
    redis.call('ZADD', to[1], to[2], id)
    redis.call('SET', job, payload, 'PX', to[3])
    to[6] = to[6] + 1
    to[7] = id
    fresh[#fresh + 1] = id
    queued = 1
  elseif resent and redis.pcall('GET', job) == payload then
    queued = 1
  end
  out[i + 1] = queued
end
if #fresh > 0 and redis.call('EXISTS', abort) == 1 then
  for from = 1, #fresh, 1000 do
    redis.pcall('ZREM', abort, unpack(fresh, from, math.min(from + 999, #fresh)))
  end
end
local news = {}
for _, way in ipairs(ways) do
  local channel, due, count, id = way[4], way[5], way[6], way[7]
  local known = news[channel]
  if count > 0 and known then
    news[channel] = { math.min(due, known[1]), '' }
  elseif count > 0 then
    news[channel] = { due, count == 1 and due <= now and ' ' .. id or '' }
  end
end
for channel, new in pairs(news) do
  redis.pcall('PUBLISH', channel, string.format('%.0f', new[1]) .. new[2])
end
return out
