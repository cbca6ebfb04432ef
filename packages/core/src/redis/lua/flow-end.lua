-- Ends members of a flow whose jobs have left their queues, and finds the members that are ready now: all before them
-- have ended. What has to be done about those is kept in arq:flow-todo, so that no kill loses it. With its last open
-- member the flow ends, and its keys get a lifetime.
-- A member whose job is still there, or moved to another queue, has not ended; a repeated call changes nothing.
-- Before a member ends, its drafts become members: what comes after it waits for them too. See flow-note.lua.
-- One call takes a bounded number of steps, whatever the graph. What it leaves is in the flow: drafts, while their member
-- stays open, and the place in the list of those after a member, as a task next:<place>. The caller, or whoever comes
-- upon the flow, calls again. A member on which nothing is to be done takes no step, so that no call stops at those that
-- a call before it has ended.
-- There is no counter: a member is ready when none before it is in the set of open ones. One of these is remembered as a
-- witness (w:<member>), so that a member with 10,000 before it is not looked through at each end.
--
-- KEYS[1] -> arq:flow:<id>, KEYS[2] -> arq:flow-open:<id>, KEYS[3] -> arq:flow-out:<id>, KEYS[4] -> arq:flow-todo:<id>,
-- KEYS[5] -> arq:flow-calls:<id>, KEYS[6] -> arq:flow-results:<id>, KEYS[7] -> arq:flow-watch, KEYS[8] -> arq:held
-- then for each member: queue, arq:job:<job id>
-- ARGV[1] -> id, ARGV[2] -> channel of the flow, ARGV[3] -> steps at most
-- then for each member: its key, its job's id, outcome or '' (the note says it), outcome where there is no note or '',
--   result or ''
-- Output: state of the flow, number of members that have ended by this call, number of members, from the first on, with
--   which it is done, how far it has come with the next one or '', then the keys of members that are ready or new
local flow, open, out, todo, calls, results, watch, held = unpack(KEYS, 1, 8)
local members = (#KEYS - 8) / 2
local state, has_kids, version, on_unknown = unpack(redis.call('HMGET', flow, 'state', 'kids', 'version', 'unknown'))
if not state then
  redis.pcall('ZREM', watch, ARGV[1])
  return { '', 0, members, '' }
end
local time = redis.call('TIME')
local micros, left = tonumber(time[2]), tonumber(ARGV[3])
local ready, ended, failed, done, rest = {}, 0, false, 0, nil

-- One of the open members before this one, and of those that these added, whichever; nothing where all have ended.
local function open_before(key)
  local level, most = {}, redis.call('HLEN', flow)
  for parent in string.gmatch(redis.call('HGET', flow, 'a:' .. key) or '', '[^,]+') do level[#level + 1] = parent end
  while #level > 0 do
    local kids, pages = {}, math.ceil(#level / 1000)
    for page = 0, pages - 1 do
      local from = (page + micros) % pages * 1000 + 1
      local last = math.min(from + 999, #level)
      local found, counts = {}, {}
      for i, is_open in ipairs(redis.call('SMISMEMBER', open, unpack(level, from, last))) do
        if is_open == 1 then found[#found + 1] = level[from + i - 1] end
      end
      if #found > 0 then return found[micros % #found + 1] end
      left = left - (last - from) / 100
      for i = from, has_kids and last or 0 do counts[#counts + 1] = 'k:' .. level[i] end
      for i, count in ipairs(#counts > 0 and redis.call('HMGET', flow, unpack(counts)) or {}) do
        -- Each has fields of its own: a count beyond these is none, and would hold the server up.
        for n = 0, math.min(tonumber(count) or 0, most - #kids) - 1 do
          kids[#kids + 1] = level[from + i - 1] .. '.' .. n
        end
      end
    end
    level = kids
  end
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

-- Looks at those after a member that has ended, from a place in their list on. After one that was added by another comes
-- what comes after that one, too. Returns the task that is left.
local function look_behind(key, place)
  local lists, head = {}, key
  while head do
    lists[#lists + 1] = redis.call('HGET', flow, 'x:' .. head) or ''
    head = string.match(head, '^(.*)%.')
  end
  local list = table.concat(lists, ',')
  local first, last = string.find(list, '[^,]+', place or 1)
  while first and left > 0 do
    look_at(string.sub(list, first, last))
    left = left - 1
    first, last = string.find(list, '[^,]+', last + 1)
  end
  if first then
    local task = string.format('next:%d', first)
    redis.call('HSET', todo, key, task)
    return task
  end
  if place then redis.call('HDEL', todo, key) end
end

-- Makes members of those drafts of a member that count, the first first, and drops the others. Returns how many there are
-- of either where some are left.
local function settle_drafts(parent, outcome)
  local known = redis.call('HMGET', flow, 's:' .. parent, 'c:' .. parent, 'k:' .. parent)
  local drafts, count, kids = tonumber(known[1] or 0), tonumber(known[2] or 0), tonumber(known[3] or 0)
  if drafts == 0 then return end
  if outcome ~= 'success' or state ~= 'running' then count = 0 end
  if kids < count then
    has_kids = '1'
    redis.call('HSET', flow, 'kids', has_kids)
  end
  while kids < count and left > 0 do
    local key = parent .. '.' .. kids
    local draft = redis.call('HGET', flow, 'd:' .. key)
    local before, after, definition = string.match(draft or '', '^(.-)|(.-)|(.*)$')
    if definition then
      redis.call('HSET', flow, 'm:' .. key, definition, 'a:' .. key, before, 'x:' .. key, after)
      redis.call('HDEL', flow, 'd:' .. key)
      redis.call('SADD', open, key)
      -- Drafts come in an order that they can run in: what is before it is open already.
      redis.call('HSET', todo, key, (open_before(key) and 'hold:' or 'start:') .. version)
      ready[#ready + 1] = key
    end
    kids, left = kids + 1, left - 1
    redis.call('HSET', flow, 'k:' .. parent, kids)
  end
  local keep = math.max(kids, count)
  while drafts > keep and left > 0 do
    drafts, left = drafts - 1, left - 1
    redis.call('HDEL', flow, 'd:' .. parent .. '.' .. drafts)
    redis.call('HDEL', calls, parent .. '.' .. drafts)
  end
  if kids >= count and drafts <= keep then
    redis.call('HDEL', flow, 's:' .. parent, 'c:' .. parent)
    return
  end
  redis.call('HSET', flow, 's:' .. parent, drafts)
  return kids .. ' ' .. drafts
end

for m = 0, members - 1 do
  if left <= 0 then break end
  local queue, job = KEYS[2 * m + 9], KEYS[2 * m + 10]
  local key, id, outcome, otherwise, result = unpack(ARGV, 5 * m + 4, 5 * m + 8)
  local task = redis.call('HGET', todo, key)
  local place = task and tonumber(string.match(task, '^next:(%d+)$'))
  local is_gone = not task
    and redis.call('SISMEMBER', open, key) == 1
    and type(redis.pcall('ZSCORE', queue, id)) ~= 'string'
    and redis.call('EXISTS', job) == 0
  if is_gone and outcome == '' then outcome = redis.call('HGET', flow, 'n:' .. key) or otherwise end
  local can_end = is_gone and outcome ~= ''
  if place then
    rest = look_behind(key, place)
  elseif can_end then
    rest = settle_drafts(key, outcome)
  end
  if can_end and not rest then
    ended = ended + 1
    redis.call('SREM', open, key)
    redis.call('SREM', out, key)
    redis.pcall('HDEL', held, id)
    redis.call('HDEL', flow, 'n:' .. key, 'w:' .. key)
    redis.call('HSET', flow, 'e:' .. key, outcome)
    if result ~= '' then redis.call('HSET', results, key, result) end
    local is_fine = outcome == 'success' or outcome == 'skipped' or (outcome == 'unknown' and on_unknown == 'succeed')
    failed = failed or not is_fine
    rest = look_behind(key)
  end
  if place or can_end then left = left - 1 end
  if rest then break end
  done = done + 1
end
if failed then redis.call('HSET', flow, 'failed', '1') end
if ended > 0 and redis.call('SCARD', open) == 0 then
  state = state == 'cancelling' and 'cancelled' or redis.call('HGET', flow, 'failed') and 'failed' or 'complete'
  redis.call('HSET', flow, 'state', state, 'ended', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
  redis.call('DEL', todo)
  for _, key in ipairs({ flow, calls, results }) do
    redis.call('PEXPIRE', key, redis.call('HGET', flow, 'keep'))
  end
  redis.pcall('ZREM', watch, ARGV[1])
  redis.pcall('PUBLISH', ARGV[2], state)
  done, rest = members, nil
end
local reply = { state, ended, done, rest or '' }
for i = 1, #ready do reply[i + 4] = ready[i] end
return reply
