-- Ends members of a flow whose jobs have left their queues, and finds the members that are ready now: all before them
-- have ended. What has to be done about those is kept in arq:flow-todo, so that no kill loses it. With its last open
-- member the flow ends, and its keys get a lifetime.
-- A member whose job is still there, or moved to another queue, has not ended; a repeated call changes nothing.
-- There is no counter: a member is ready when none before it is in the set of open ones. One of these is remembered as a
-- witness (w:<member>), so that a member with 10,000 before it is not looked through at each end.
--
-- KEYS[1] -> arq:flow:<id>, KEYS[2] -> arq:flow-open:<id>, KEYS[3] -> arq:flow-out:<id>, KEYS[4] -> arq:flow-todo:<id>,
-- KEYS[5] -> arq:flow-calls:<id>, KEYS[6] -> arq:flow-results:<id>, KEYS[7] -> arq:flow-watch, KEYS[8] -> arq:held
-- then for each member: queue, arq:job:<job id>
-- ARGV[1] -> id, ARGV[2] -> channel of the flow
-- then for each member: its key, its job's id, outcome or '' (the note says it), outcome where there is no note or '',
--   result or ''
-- Output: state of the flow, number of members that have ended by this call, then the keys of members that are ready
local flow, open, out, todo, calls, results, watch, held = unpack(KEYS, 1, 8)
local state, has_kids, version, on_unknown = unpack(redis.call('HMGET', flow, 'state', 'kids', 'version', 'unknown'))
if not state then
  redis.pcall('ZREM', watch, ARGV[1])
  return { '', 0 }
end
local ready, ended, failed = {}, 0, false

local function append_family(list, key)
  list[#list + 1] = key
  local kids = has_kids and tonumber(redis.call('HGET', flow, 'k:' .. key) or 0) or 0
  for n = 0, kids - 1 do append_family(list, key .. '.' .. n) end
end

-- One of the open members before this one, whichever; nothing where all have ended.
local function open_before(key)
  local before, found = {}, {}
  for parent in string.gmatch(redis.call('HGET', flow, 'a:' .. key) or '', '[^,]+') do append_family(before, parent) end
  for from = 1, #before, 1000 do
    local last = math.min(from + 999, #before)
    for i, is_open in ipairs(redis.call('SMISMEMBER', open, unpack(before, from, last))) do
      if is_open == 1 then found[#found + 1] = before[from + i - 1] end
    end
  end
  local micros = tonumber(redis.call('TIME')[2])
  return found[micros % math.max(#found, 1) + 1]
end

local function look_at(key)
  if redis.call('SISMEMBER', open, key) == 0 or redis.call('SISMEMBER', out, key) == 1 then return end
  local task = redis.call('HGET', todo, key)
  if task and string.sub(task, 1, 4) ~= 'hold' then return end
  local witness = redis.call('HGET', flow, 'w:' .. key)
  if witness and redis.call('SISMEMBER', open, witness) == 1 then return end
  witness = open_before(key)
  if witness then
    redis.call('HSET', flow, 'w:' .. key, witness)
    return
  end
  redis.call('HDEL', flow, 'w:' .. key)
  redis.call('HSET', todo, key, (task and 'start:' or 'free:') .. version)
  ready[#ready + 1] = key
end

for m = 0, (#KEYS - 8) / 2 - 1 do
  local queue, job = KEYS[2 * m + 9], KEYS[2 * m + 10]
  local key, id, outcome, otherwise, result = unpack(ARGV, 5 * m + 3, 5 * m + 7)
  local is_gone = redis.call('SISMEMBER', open, key) == 1
    and redis.call('HEXISTS', todo, key) == 0
    and type(redis.pcall('ZSCORE', queue, id)) ~= 'string'
    and redis.call('EXISTS', job) == 0
  if is_gone and outcome == '' then outcome = redis.call('HGET', flow, 'n:' .. key) or otherwise end
  if is_gone and outcome ~= '' then
    ended = ended + 1
    redis.call('SREM', open, key)
    redis.call('SREM', out, key)
    redis.pcall('HDEL', held, id)
    redis.call('HDEL', flow, 'n:' .. key, 'w:' .. key)
    redis.call('HSET', flow, 'e:' .. key, outcome)
    if result ~= '' then redis.call('HSET', results, key, result) end
    local is_fine = outcome == 'success' or outcome == 'skipped' or (outcome == 'unknown' and on_unknown == 'succeed')
    failed = failed or not is_fine
    -- A member after one that was added by another comes after that too: its own list has it.
    for child in string.gmatch(redis.call('HGET', flow, 'x:' .. key) or '', '[^,]+') do look_at(child) end
  end
end
if failed then redis.call('HSET', flow, 'failed', '1') end
if ended > 0 and redis.call('SCARD', open) == 0 then
  state = state == 'cancelling' and 'cancelled' or redis.call('HGET', flow, 'failed') and 'failed' or 'complete'
  local time = redis.call('TIME')
  redis.call('HSET', flow, 'state', state, 'ended', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
  redis.call('DEL', todo)
  for _, key in ipairs({ flow, calls, results }) do
    redis.call('PEXPIRE', key, redis.call('HGET', flow, 'keep'))
  end
  redis.pcall('ZREM', watch, ARGV[1])
  redis.pcall('PUBLISH', ARGV[2], state)
end
local reply = { state, ended }
for i = 1, #ready do reply[i + 2] = ready[i] end
return reply
