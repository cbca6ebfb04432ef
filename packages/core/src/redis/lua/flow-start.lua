-- Starts a flow whose members are all written. Until then its keys expire by themselves, so that a producer that dies
-- on the way leaves nothing; no member of it has a job yet.
-- Repeating a call whose reply was lost changes nothing.
--
-- KEYS[1] -> arq:flow:<id>, KEYS[2] -> arq:flow-open:<id>, KEYS[3] -> arq:flow-todo:<id>, KEYS[4] -> arq:flow-calls:<id>,
-- KEYS[5] -> arq:flows, KEYS[6] -> arq:flow-watch
-- ARGV[1] -> id, ARGV[2] -> number of members, ARGV[3] -> channel of flows
-- Output: 1 (started, now or before) or 0 (members are missing)
redis.call('ZCARD', KEYS[5])
redis.call('ZCARD', KEYS[6])
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'creating' then return { state and 1 or 0 } end
local members = tonumber(ARGV[2])
for i = 2, 4 do
  local count = redis.call(i == 2 and 'SCARD' or 'HLEN', KEYS[i])
  if count ~= members then return { 0 } end
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], 'state', 'running', 'started', now)
for i = 1, 4 do redis.call('PERSIST', KEYS[i]) end
redis.call('ZADD', KEYS[5], now, ARGV[1])
redis.call('ZADD', KEYS[6], now, ARGV[1])
redis.pcall('PUBLISH', ARGV[3], ARGV[1])
return { 1 }
