-- Stores jobs and puts them into their queues; an id that is queued, running or has a kept result is left alone.
-- arq's enqueue_job does the same in WATCH, EXISTS, MULTI.
--
-- KEYS[3i+1] -> arq:job:<id>, KEYS[3i+2] -> arq:result:<id>, KEYS[3i+3] -> queue
-- ARGV[1] -> '1' when the batch is sent again after a lost reply: an identical stored payload is then our own
-- ARGV[2] -> how long after its due time a job may start, ms, where it names no expiry itself
-- ARGV[6i+3..6i+8] -> id, 'at' or 'in', due (unix ms or ms from now), expiry in ms or '', payload, wake channel
-- Output: now in unix ms, then for each job 1 (queued) or 0 (id taken)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local resent = ARGV[1] == '1'
local extra = tonumber(ARGV[2])
local earliest = {}
local out = { now }
for i = 0, #KEYS / 3 - 1 do
  local job, result, queue = KEYS[3 * i + 1], KEYS[3 * i + 2], KEYS[3 * i + 3]
  local id, kind, due, expires, payload, channel = unpack(ARGV, 6 * i + 3, 6 * i + 8)
  due = tonumber(due)
  if kind == 'in' then due = now + due end
  local ttl = expires ~= '' and tonumber(expires) or math.max(due - now, 0) + extra
  local queued = 0
  if redis.call('EXISTS', job, result) == 0 then
    -- The queue first: if it is no sorted set, nothing is stored.
    redis.call('ZADD', queue, string.format('%.0f', due), id)
    redis.call('SET', job, payload, 'PX', string.format('%.0f', ttl))
    if not earliest[channel] or due < earliest[channel] then earliest[channel] = due end
    queued = 1
  elseif resent and redis.call('GET', job) == payload then
    queued = 1
  end
  out[i + 2] = queued
end
for channel, due in pairs(earliest) do
  redis.call('PUBLISH', channel, string.format('%.0f', due))
end
return out
