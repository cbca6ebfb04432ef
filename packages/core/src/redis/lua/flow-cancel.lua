-- Cancels members of a flow that no worker runs, and lets no more of the flow start. They leave their queues and are
-- noted as cancelled, for flow-end.lua; those that run are left, to be aborted.
--
-- KEYS[1] -> arq:flow:<id>, KEYS[2] -> arq:flow-open:<id>, KEYS[3] -> arq:flow-out:<id>, KEYS[4] -> arq:flow-todo:<id>, KEYS[5] -> arq:held
-- then for each member: queue, arq:job:<job id>, arq:in-progress:<job id>, arq:result:<job id>
-- ARGV: for each member its key and its job's id
-- Output: state of the flow, then for each member 1 (cancelled), 2 (runs), or 0 (has ended)
local flow, open, out, todo, held = unpack(KEYS, 1, 5)
local state = redis.call('HGET', flow, 'state')
if state == 'running' then
  state = 'cancelling'
  redis.call('HSET', flow, 'state', state)
end
local reply = { state or '' }
for m = 0, (#KEYS - 5) / 4 - 1 do
  local queue, job, in_progress, result = unpack(KEYS, 4 * m + 6, 4 * m + 9)
  local key, id = unpack(ARGV, 2 * m + 1, 2 * m + 2)
  local holder = redis.pcall('GET', in_progress)
  local there = type(redis.pcall('ZSCORE', queue, id)) == 'string'
  reply[m + 2] = 0
  if state == 'cancelling' and redis.call('SISMEMBER', open, key) == 1 then
    if holder and holder ~= 'ended' and there then
      reply[m + 2] = 2
    elseif there or redis.call('SISMEMBER', out, key) == 0 then
      redis.pcall('ZREM', queue, id)
      -- A result there is that of a run before a replay.
      redis.call('DEL', job, result)
      redis.pcall('HDEL', held, id)
      redis.call('HDEL', todo, key)
      redis.call('SADD', out, key)
      redis.call('HSET', flow, 'n:' .. key, 'cancelled')
      reply[m + 2] = 1
    end
  end
end
return reply
