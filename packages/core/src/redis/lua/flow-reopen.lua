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

-- A call for each thousand arguments: a flow may have 10,000 members.
local function each_thousand(args, call)
  for from = 1, #args, 1000 do call(unpack(args, from, math.min(from + 999, #args))) end
end
local function fields_of(list, key, letters)
  for letter in string.gmatch(letters, '.') do list[#list + 1] = letter .. ':' .. key end
end

local going, opening, fields, outs, tasks = {}, {}, {}, {}, {}
for i = 6, 5 + dropped do
  going[#going + 1] = ARGV[i]
  fields_of(fields, ARGV[i], 'maxkenwr')
end
local new_version = string.format('%.0f', tonumber(version) + 1)
for i = 6 + dropped, #ARGV, 2 do
  local key, task = ARGV[i], ARGV[i + 1]
  opening[#opening + 1] = key
  fields_of(fields, key, 'kenwr')
  if task == 'out' then
    outs[#outs + 1] = key
  else
    tasks[#tasks + 1] = key
    tasks[#tasks + 1] = task .. ':' .. new_version
  end
end
local is_open = false
each_thousand(opening, function(...)
  for _, is_member in ipairs(redis.call('SMISMEMBER', open, ...)) do is_open = is_open or is_member == 1 end
end)
if is_open then return { 0 } end
redis.call('ZADD', watch, 0, ARGV[1])
each_thousand(going, function(...) redis.call('HDEL', calls, ...) end)
each_thousand(going, function(...) redis.call('HDEL', results, ...) end)
each_thousand(opening, function(...) redis.call('HDEL', results, ...) end)
each_thousand(fields, function(...) redis.call('HDEL', flow, ...) end)
each_thousand(opening, function(...) redis.call('SADD', open, ...) end)
each_thousand(outs, function(...) redis.call('SADD', out, ...) end)
each_thousand(tasks, function(...) redis.call('HSET', todo, ...) end)
redis.call('HDEL', flow, 'ended')
if ARGV[4] ~= '1' then redis.call('HDEL', flow, 'failed') end
redis.call('HSET', flow, 'state', 'running', 'version', new_version)
for _, key in ipairs({ flow, calls, results }) do redis.call('PERSIST', key) end
redis.pcall('PUBLISH', ARGV[3], ARGV[1])
return { 1 }
