-- Takes an id for a flow. Its writing expires, so that a producer that dies before it has written the flow
-- leaves nothing, and the id is free again.
-- Repeating a call whose reply was lost changes nothing.
--
-- KEYS[1] -> arq:flow:<id>
-- ARGV[1] -> token of the caller, ARGV[2] -> time in ms that the flow is kept until it is started
-- Output: 1 (taken, now or before) or 0 (another one has it)
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'starter', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return { redis.call('HGET', KEYS[1], 'starter') == ARGV[1] and 1 or 0 }
