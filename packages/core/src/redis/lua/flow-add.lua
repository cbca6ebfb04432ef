-- Adds members to a flow from a member that runs, while its lease holds: what comes after that member waits for them too.
-- They are named after it, by number: a run that comes again, after its worker died, adds those that are there already,
-- and nothing happens.
--
-- KEYS[1] -> arq:flow:<id>, KEYS[2] -> arq:flow-open:<id>, KEYS[3] -> arq:flow-todo:<id>, KEYS[4] -> arq:flow-calls:<id>,
-- KEYS[5] -> arq:in-progress:<job id> of the member that adds
-- ARGV[1] -> token, ARGV[2] -> the member that adds
-- then for each new one: its number, definition, members before it (with commas), payload
-- Output: 1 (added, now or before) or 0 (the lease is lost, or the flow ends)
local flow, open, todo, calls, in_progress = unpack(KEYS, 1, 5)
local parent = ARGV[2]
local state, version = unpack(redis.call('HMGET', flow, 'state', 'version'))
if redis.call('GET', in_progress) ~= ARGV[1] or redis.call('SISMEMBER', open, parent) == 0 then return { 0 } end
if state ~= 'running' then return { 0 } end
-- A member that waits for another waits for all that it added, and these for what is added after it.
local function each_of_family(key, visit)
  visit(key)
  for n = 0, tonumber(redis.call('HGET', flow, 'k:' .. key) or 0) - 1 do each_of_family(key .. '.' .. n, visit) end
end

local after_parent = redis.call('HGET', flow, 'x:' .. parent) or ''
redis.call('HSET', flow, 'kids', '1')
for i = 3, #ARGV, 4 do
  local number, definition, after, payload = unpack(ARGV, i, i + 3)
  local key = parent .. '.' .. number
  if redis.call('HSETNX', flow, 'm:' .. key, definition) == 1 then
    local task = 'start:'
    for before in string.gmatch(after, '[^,]+') do
      each_of_family(before, function(kin)
        local next = redis.call('HGET', flow, 'x:' .. kin) or ''
        redis.call('HSET', flow, 'x:' .. kin, next == '' and key or next .. ',' .. key)
        if redis.call('SISMEMBER', open, kin) == 1 then task = 'hold:' end
      end)
    end
    redis.call('HSET', flow, 'a:' .. key, after, 'x:' .. key, after_parent)
    local kids = tonumber(redis.call('HGET', flow, 'k:' .. parent) or 0)
    redis.call('HSET', flow, 'k:' .. parent, math.max(kids, tonumber(number) + 1))
    redis.call('HSET', calls, key, payload)
    redis.call('SADD', open, key)
    redis.call('HSET', todo, key, task .. version)
  end
end
return { 1 }
