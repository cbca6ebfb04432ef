-- Puts a dead letter, or the job of a kept failed result, back into its queue with its try counter reset. An abort that
-- was asked of its earlier life does not concern this one.
-- The fence that its end left, see finish.lua, goes.
-- The queue is written first: if it is no sorted set, letter and result stay.
--
-- KEYS[1] -> arq:dead, KEYS[2] -> arq:dead:<id>, KEYS[3] -> arq:job:<id>, KEYS[4] -> arq:result:<id>,
-- KEYS[5] -> arq:retry:<id>, KEYS[6] -> queue, KEYS[7] -> arq:in-progress:<id>, KEYS[8] -> arq:abort
-- ARGV[1] -> id, ARGV[2] -> ms from now, ARGV[3] -> payload lifetime past the due time in ms, ARGV[4] -> payload,
-- ARGV[5] -> wake channel
-- Output: 1 (queued) or 0 (queued or running already)
local holder = redis.pcall('GET', KEYS[7])
if redis.call('EXISTS', KEYS[3]) == 1 or (holder and holder ~= 'ended') then return { 0 } end
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
redis.call('ZADD', KEYS[6], string.format('%.0f', due), ARGV[1])
redis.call('SET', KEYS[3], ARGV[4], 'PX', string.format('%.0f', ARGV[2] + ARGV[3]))
redis.call('DEL', KEYS[2], KEYS[4], KEYS[5], KEYS[7])
redis.pcall('ZREM', KEYS[1], ARGV[1])
redis.pcall('ZREM', KEYS[8], ARGV[1])
redis.pcall('PUBLISH', ARGV[5], string.format('%.0f', due))
return { 1 }
