-- Takes the schedules that have a tick due, for a moment: whoever takes one plans its ticks and writes it back, which
-- gives it its next time. Where that never comes, another worker takes it when the moment is over.
-- A call that is sent again after a lost reply answers with all that are due within the moment, among them those that the
-- lost reply named. Some are another worker's, or not due yet: a plan is written by one alone, and has the ticks that are due.
--
-- KEYS[1] -> arq:schedules: sorted set of names by their next tick
-- ARGV[1] -> the moment in ms, ARGV[2] -> names at most, ARGV[3] -> '1' when the call is sent again after a lost reply
-- Output: now in unix ms, the earliest tick of all that are left in unix ms or '', then the names
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local names = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[3] == '1' and now + ARGV[1] or now, 'LIMIT', 0, ARGV[2])
for _, name in ipairs(names) do redis.call('ZADD', KEYS[1], now + ARGV[1], name) end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
local out = { now, (first == nil or first == 'inf') and '' or first }
for _, name in ipairs(names) do out[#out + 1] = name end
return out
