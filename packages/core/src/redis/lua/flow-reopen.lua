-- Opens members of a flow again, for a replay: the plan is made by the caller, for the version of the flow it has read.
--
-- KEYS[1] -> arq:flow:<id>, KEYS[2] -> arq:flow-open:<id>, KEYS[3] -> arq:flow-out:<id>, KEYS[4] -> arq:flow-todo:<id>,
-- KEYS[5] -> arq:flow-calls:<id>, KEYS[6] -> arq:flow-results:<id>, KEYS[7] -> arq:flow-watch
-- ARGV[1] -> id, ARGV[2] -> version as it was read, ARGV[3] -> channel of flows, ARGV[4] -> '1' where a failure stays,
-- ARGV[5] -> number of members that go, then these, then for each member that opens: its key and hold, start, or out
--   where its job is in its queue already
-- Output: 1 (opened), 0 (another version, or a member that is to open is open)
local flow, open, out, todo, calls, results, watch = unpack(KEYS, 1, 7)
local version = redis.call('HGET', flow, 'version')
local dropped = tonumber(ARGV[5])
if version ~= ARGV[2] or redis.call('HGET', flow, 'state') == 'creating' then return { 0 } end
for i = 6 + dropped, #ARGV, 2 do
  if redis.call('SISMEMBER', open, ARGV[i]) == 1 then return { 0 } end
end
version = string.format('%.0f', tonumber(version) + 1)
redis.call('ZADD', watch, 0, ARGV[1])
for i = 6, 5 + dropped do
  local key = ARGV[i]
  for letter in string.gmatch('maxkenwr', '.') do redis.call('HDEL', flow, letter .. ':' .. key) end
  redis.call('HDEL', calls, key)
  redis.call('HDEL', results, key)
end
for i = 6 + dropped, #ARGV, 2 do
  local key, task = ARGV[i], ARGV[i + 1]
  for letter in string.gmatch('kenwr', '.') do redis.call('HDEL', flow, letter .. ':' .. key) end
  redis.call('HDEL', results, key)
  redis.call('SADD', open, key)
  if task == 'out' then
    redis.call('SADD', out, key)
  else
    redis.call('HSET', todo, key, task .. ':' .. version)
  end
end
redis.call('HDEL', flow, 'ended')
if ARGV[4] ~= '1' then redis.call('HDEL', flow, 'failed') end
redis.call('HSET', flow, 'state', 'running', 'version', version)
for _, key in ipairs({ flow, calls, results }) do redis.call('PERSIST', key) end
redis.pcall('PUBLISH', ARGV[3], ARGV[1])
return { 1 }
