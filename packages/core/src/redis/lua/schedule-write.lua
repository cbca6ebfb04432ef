-- Writes a schedule as it was planned from what was read, and enqueues the ticks that are due, unless somebody wrote the
-- schedule in between: of several workers that plan one tick, one enqueues it, and a schedule that was changed or
-- removed has no tick of its old version any more.
-- Nothing is written unless the schedules, the schedule and the queue have the types they should have.
--
-- KEYS[1] -> arq:schedules, KEYS[2] -> arq:schedule:<name>, KEYS[3] -> queue of the ticks,
-- KEYS[4] -> queue of the job before, then for each tick: arq:job:<id>, arq:result:<id>
-- ARGV[1] -> '1' when the call is sent again after a lost reply, ARGV[2] -> name
-- ARGV[3] -> revision as it was read, '' where there was no schedule, ARGV[4] -> time up to which ticks were decided, as read
-- ARGV[5] -> the same two when this is written, in one: revision and time, joined by a space
-- ARGV[6] -> score among the schedules: the next tick in unix ms, '+inf' for none, or '' to remove the schedule
-- ARGV[7] -> '1' to leave out a tick while the job before it is queued or runs, ARGV[8] -> id of the job before, or ''
-- ARGV[9] -> ms within which a tick may start, ARGV[10] -> payload, ARGV[11] -> name of the queue,
-- ARGV[12] -> wake channel of the queue, ARGV[13] -> channel of the schedules, or '' where nobody need hear
-- ARGV[14] -> number of ticks, then for each: id, due in unix ms; then names and values of further fields
-- Output: 'changed', or for each tick 1 (queued), 0 (its id is taken) or -1 (left out); an empty list without ticks
local name, count, before = ARGV[2], tonumber(ARGV[14]), ARGV[8]
local known = redis.call('HMGET', KEYS[2], 'revision', 'done')
local revision, done = known[1] or '', known[2] or ''
local out = {}
if revision ~= ARGV[3] or (revision ~= '' and done ~= ARGV[4]) then
  local is_written = ARGV[6] == '' and revision == '' or revision .. ' ' .. done == ARGV[5]
  if ARGV[1] ~= '1' or not is_written then return 'changed' end
  for i = 1, count do out[i] = redis.pcall('GET', KEYS[3 + 2 * i]) == ARGV[10] and 1 or 0 end
  return out
end
redis.call('ZSCORE', KEYS[1], name)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fresh, last, before_key = 0, nil, KEYS[4]
for i = 1, count do
  local id, due = ARGV[13 + 2 * i], ARGV[14 + 2 * i]
  local job, result = KEYS[3 + 2 * i], KEYS[4 + 2 * i]
  local waits = ARGV[7] == '1' and before ~= '' and before ~= id and redis.pcall('ZSCORE', before_key, before)
  if type(waits) == 'string' then
    out[i] = -1
  elseif redis.call('EXISTS', job, result) > 0 then
    out[i] = 0
  else
    redis.call('ZADD', KEYS[3], due, id)
    redis.call('SET', job, ARGV[10], 'PX', ARGV[9])
    out[i], last, before, before_key = 1, i, id, KEYS[3]
    fresh = fresh + 1
  end
end
if ARGV[6] == '' then
  redis.call('DEL', KEYS[2])
  redis.call('ZREM', KEYS[1], name)
else
  local at = string.find(ARGV[5], ' ', 1, true)
  redis.call('HSET', KEYS[2], 'revision', string.sub(ARGV[5], 1, at - 1), 'done', string.sub(ARGV[5], at + 1))
  for i = 15 + 2 * count, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
  if last then
    redis.call('HSET', KEYS[2], 'last', ARGV[13 + 2 * last], 'lastMs', ARGV[14 + 2 * last], 'lastQueue', ARGV[11])
  end
  redis.call('ZADD', KEYS[1], ARGV[6], name)
end
if last then
  redis.pcall('PUBLISH', ARGV[12], ARGV[14 + 2 * last] .. (fresh == 1 and ' ' .. ARGV[13 + 2 * last] or ''))
end
if ARGV[13] ~= '' then redis.pcall('PUBLISH', ARGV[13], name) end
return out
