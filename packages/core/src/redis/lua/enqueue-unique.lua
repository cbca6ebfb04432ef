-- Stores and queues a job under a unique key, or settles it with the job that has the key: its owner.
-- The key is a pointer and no lock: it counts only while its owner is queued, so nothing that happens to the owner
-- (death, removal, failure, expiry, an abort by Python) can leave the key locked, and the end of an older owner frees
-- nothing of a newer one. Until 'start' an owner that was ever started has it no more.
-- Data that is newer takes the place of an owner's that does not run; while one runs it becomes the next owner.
--
-- KEYS[1] -> arq:unique:<key>, KEYS[2] -> queue, KEYS[3] -> arq:job:<id>
-- Where there is an owner: KEYS[4] -> its queue, KEYS[5] -> arq:job:<id>, KEYS[6] -> arq:in-progress:<id>, KEYS[7] -> arq:retry:<id>,
-- KEYS[8] -> arq:result:<id>
-- ARGV[1] -> the owner that the caller knows, or '', ARGV[2] -> id, ARGV[3] -> queue name, ARGV[4] -> start, end or ms,
-- ARGV[5] -> reject, replace, debounce or throttle, ARGV[6] -> 'at' or 'in', ARGV[7] -> due, ARGV[8] -> ms after its due
--   time within which the job may start, ARGV[9] -> quiet ms, ARGV[10] -> longest wait in ms, ARGV[11] -> payload,
-- ARGV[12] -> wake channel, ARGV[13] -> wake channel of the owner's queue, ARGV[14] -> ms that the key outlives the job's
--   lifetime, ARGV[15] -> '1' where the owner is known to have ended well, ARGV[16] -> '1' when the call is sent again
-- Output: queued, duplicate, replaced, or changed (another owner than the caller knows); its id; its queue name
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local key, id, till, policy = KEYS[1], ARGV[2], ARGV[4], ARGV[5]
local owner, owner_queue, since, first, next_at = unpack(redis.call('HMGET', key, 'id', 'queue', 'since', 'first', 'next'))
owner = owner or ''
-- Redis may hold any value.
local function number(text, other)
  local n = text and tonumber(text)
  return n and math.abs(n) < 9e15 and n or other
end
since, first, next_at = number(since, 0), number(first), number(next_at, 0)
if ARGV[16] == '1' and owner == id then return { 'queued', id, ARGV[3] } end
if owner ~= ARGV[1] then return { 'changed', owner, owner_queue or '' } end
local due = tonumber(ARGV[7])
if ARGV[6] == 'in' then due = now + due end
local life, quiet, outlives = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[14])

local alive, runs, has_key, score = false, false, false, false
if owner ~= '' then
  score = redis.call('ZSCORE', KEYS[4], owner)
  local holder = redis.pcall('GET', KEYS[6])
  runs = holder and holder ~= 'ended'
  alive = score and redis.call('EXISTS', KEYS[5]) == 1
  if till == 'start' then
    has_key = alive and not runs and redis.call('EXISTS', KEYS[7]) == 0
  elseif till == 'end' then
    has_key = alive
  else
    local ended_well = ARGV[15] == '1' and redis.call('EXISTS', KEYS[8]) == 1
    has_key = now < since + tonumber(till) and (alive or ended_well)
  end
end
local waits = alive and not runs
-- The due time of a job that runs or has ended is past, and so is the first call: a clock that was ahead wrote later ones.
if not waits then
  next_at = next_at - math.max(0, since - now)
  since = math.min(since, now)
end
if first and first > now then
  first = now
  redis.call('HSET', key, 'first', now)
end
if has_key and policy == 'reject' then return { 'duplicate', owner, owner_queue } end

local function keep_key(lifetime)
  redis.call('PEXPIRE', key, string.format('%.0f', lifetime + outlives))
end
local function wake(channel, at, what)
  redis.pcall('PUBLISH', channel, string.format('%.0f', at) .. (at <= now and ' ' .. what or ''))
end

if has_key and waits then
  local at = tonumber(score)
  local moves = policy == 'replace'
  if policy == 'debounce' then
    due = math.max(math.min(now + quiet, (first or now) + tonumber(ARGV[10])), now)
    moves = at > now
  end
  if moves then
    redis.call('ZADD', KEYS[4], 'XX', string.format('%.7f', due + (number(score) and at % 1 or 0)), owner)
    at = due
  end
  local lifetime = math.max(at - now, 0) + life
  redis.call('SET', KEYS[5], ARGV[11], 'PX', string.format('%.0f', lifetime))
  keep_key(lifetime)
  if moves then wake(ARGV[13], due, owner) end
  return { 'replaced', owner, owner_queue }
end

if policy == 'debounce' then
  due = math.max(due, now + quiet)
elseif policy == 'throttle' then
  due = math.max(due, next_at)
end
-- An owner has the key for a time: what is newer waits until that is over.
if has_key and till ~= 'start' and till ~= 'end' then due = math.max(due, since + tonumber(till)) end
local lifetime = math.max(due - now, 0) + life
redis.call('ZADD', KEYS[2], string.format('%.0f', due), id)
redis.call('SET', KEYS[3], ARGV[11], 'PX', string.format('%.0f', lifetime))
redis.call('HSET', key, 'id', id, 'queue', ARGV[3], 'since', string.format('%.0f', math.max(now, due)), 'first', now)
if policy == 'throttle' then redis.call('HSET', key, 'next', string.format('%.0f', math.max(due, now) + quiet)) end
keep_key(math.max(lifetime, due - now + quiet, due - now + (tonumber(till) or 0)))
wake(ARGV[12], due, id)
return { 'queued', id, ARGV[3] }
