-- Notes how a member ends before its job is settled, so that no kill between the two loses the outcome, whether the
-- result is kept or not. A note counts once the job has left its queue, see flow-end.lua; a job that runs again notes
-- again.
-- Fenced like finish.lua: a worker that lost its lease notes nothing.
--
-- KEYS[1] -> arq:flow:<id>, KEYS[2] -> arq:flow-open:<id>, KEYS[3] -> arq:flow-results:<id>, KEYS[4] -> arq:in-progress:<job id>
-- ARGV[1] -> token, ARGV[2] -> member, ARGV[3] -> outcome, ARGV[4] -> result, '' for none
-- Output: 1 (noted) or 0 (the lease is lost, or the member is not open)
if redis.call('GET', KEYS[4]) ~= ARGV[1] or redis.call('SISMEMBER', KEYS[2], ARGV[2]) == 0 then return { 0 } end
redis.call('HSET', KEYS[1], 'n:' .. ARGV[2], ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[3], ARGV[2], ARGV[4]) end
return { 1 }
