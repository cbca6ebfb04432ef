-- Asks for a job's abort, as Python's Job.abort() does: a deferred job is pulled to the front, so that a worker meets
-- the request soon. A job that a worker of ours runs is deferred in the queue too (to its lease's end), and left there.
-- The request is written first: where arq:abort is no sorted set, nothing else changes.
--
-- KEYS[1] -> arq:abort, KEYS[2] -> queue, KEYS[3] -> arq:in-progress:<id>
-- ARGV[1] -> id, ARGV[2] -> wake channel, ARGV[3] -> abort channel
-- Output: 1 if the job is queued or running, else 0
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
local holder = redis.pcall('GET', KEYS[3])
-- The fence of an ended job, see finish.lua, is no run.
local running = holder and holder ~= 'ended'
if not score and not running then return { 0 } end
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
if score and not running and tonumber(score) > now then redis.call('ZADD', KEYS[2], 1, ARGV[1]) end
redis.pcall('PUBLISH', ARGV[2], '1')
redis.pcall('PUBLISH', ARGV[3], ARGV[1])
return { 1 }
