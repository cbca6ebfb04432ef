-- Replaces what is kept of the pauses of one cron job, unless another client wrote it in between. A repeated call changes
-- nothing and gives the same answer.
--
-- KEYS[1] -> arq:cron-pauses
-- ARGV[1] -> name of the cron job
-- ARGV[2] -> the entry as it was read; '' for none
-- ARGV[3] -> the new entry
-- Output: a list of one: 1 when the new entry is there, 0 when another one is
local entry = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if entry == ARGV[3] then return { 1 } end
if entry ~= ARGV[2] then return { 0 } end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return { 1 }
