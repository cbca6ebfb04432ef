-- Stores jobs and puts them into their queues; an id that is queued, running or has a kept result is left alone.
-- arq's enqueue_job does the same in WATCH, EXISTS, MULTI. An abort that was asked of an earlier job of the id goes.
-- Jobs of a batch mostly go to one queue at one time: where and when is given once per way.
-- Workers are woken by the earliest due time; where one job alone is new and due, by its id too, so that an idle
-- worker need not look for it.
--
-- KEYS[1..ways] -> queue of each way, then for each job: arq:job:<id>, arq:result:<id>, then arq:abort
-- ARGV[1] -> '1' when the batch is sent again after a lost reply: an identical stored payload is then our own; '2' when it
--   is sent for the first time and all its ids were drawn for it: nothing of theirs can be there, and none is looked for
-- ARGV[2] -> how long after its due time a job may start, ms, where it names no expiry itself
-- ARGV[3] -> number of ways, then for each: 'at' or 'in', due (unix ms or ms from now), expiry in ms or '', wake channel
-- then for each job: id, number of its way from 1, payload
-- Output: now in unix ms, then for each job 1 (queued) or 0 (id taken)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local resent, are_new = ARGV[1] == '1', ARGV[1] == '2'
local extra, ways = ARGV[2], tonumber(ARGV[3])
local arg = 3 + 4 * ways
-- Fields of each way: due time, as a number and as text, TTL of its payloads, number of new jobs, the last of them
local due, score, ttl, count, last = {}, {}, {}, {}, {}
for w = 1, ways do
  local at, expires = tonumber(ARGV[4 * w + 1]), ARGV[4 * w + 2]
  if ARGV[4 * w] == 'in' then at = now + at end
  due[w], score[w], count[w] = at, string.format('%.0f', at), 0
  ttl[w] = expires ~= '' and expires or at <= now and extra or string.format('%.0f', at - now + extra)
end
local abort = KEYS[#KEYS]
local out, fresh = { now }, {}
for i = 1, (#ARGV - arg) / 3 do
  local key, at = ways + 2 * i - 1, arg + 3 * i
  local job, id, payload = KEYS[key], ARGV[at - 2], ARGV[at]
  local queued = 0
  if are_new or redis.call('EXISTS', job, KEYS[key + 1]) == 0 then
    local w = tonumber(ARGV[at - 1])
    -- The queue first: if it is no sorted set, nothing is stored.
    redis.call('ZADD', KEYS[w], score[w], id)
    redis.call('SET', job, payload, 'PX', ttl[w])
    count[w], last[w] = count[w] + 1, id
    fresh[#fresh + 1] = id
    queued = 1
  elseif resent and redis.pcall('GET', job) == payload then
    queued = 1
  end
  out[i + 1] = queued
end
if not are_new and #fresh > 0 and redis.call('EXISTS', abort) == 1 then
  for from = 1, #fresh, 1000 do
    redis.pcall('ZREM', abort, unpack(fresh, from, math.min(from + 999, #fresh)))
  end
end
local channel = ARGV[arg]
if ways == 1 then
  if count[1] > 0 then
    redis.pcall('PUBLISH', channel, count[1] == 1 and due[1] <= now and score[1] .. ' ' .. last[1] or score[1])
  end
  return out
end
local news = {}
for w = 1, ways do
  channel = ARGV[4 * w + 3]
  local known = news[channel]
  if count[w] > 0 and known then
    news[channel] = { math.min(due[w], known[1]), '' }
  elseif count[w] > 0 then
    news[channel] = { due[w], count[w] == 1 and due[w] <= now and ' ' .. last[w] or '' }
  end
end
for name, new in pairs(news) do
  redis.pcall('PUBLISH', name, string.format('%.0f', new[1]) .. new[2])
end
return out
