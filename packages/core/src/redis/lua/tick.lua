-- Enqueues one tick of a cron job, at most once: not while it is queued, runs or has a kept result, not in the minute
-- after its end, for which arq keeps the in-progress key of a cron job, not once this tick or a later one of its
-- schedule was decided, not while the cron job is paused, and not when it is past by too much.
-- Keys of ours that hold something else are overwritten; a queue that is none refuses the tick before anything is stored.
--
-- KEYS[1] -> queue, KEYS[2] -> arq:job:<id>, KEYS[3] -> arq:result:<id>, KEYS[4] -> arq:in-progress:<id>
-- KEYS[5] -> arq:obs:cron:<schedule>: due time of the last tick, KEYS[6] -> arq:cron:<name>: id of the last tick queued
-- KEYS[7] -> arq:cron-pauses: hash of cron job to its pauses, with commas between them: since-until each, and since for
--   one that lasts
-- ARGV[1] -> id, ARGV[2] -> due in unix ms, ARGV[3] -> how late it may be, ms, ARGV[4] -> lifetime of KEYS[5] in ms, 0 for
--   a tick that is not the clock's and leaves no trace there, ARGV[5] -> how far ahead a recorded time is believed, ms,
-- ARGV[6] -> ms after its due time within which the job may start, ARGV[7] -> '1' to leave it out while the tick before is
--   queued or runs, ARGV[8] -> lifetime of KEYS[6] in ms, ARGV[9] -> wake channel
-- ARGV[10] -> payload, ARGV[11] -> '1' where all ticks have one id: the tick before may still have its in-progress key
-- ARGV[12] -> '1' when the call is sent again after a lost reply, ARGV[13] -> name of the cron job
-- Output: queued, known (queued or decided before), paused, late, or overlap
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id, due, lifetime = ARGV[1], tonumber(ARGV[2]), ARGV[4]
local recorded = lifetime ~= '0'
local last = recorded and tonumber(redis.pcall('GET', KEYS[5])) or 0
-- A time that lies far ahead was written by a clock that was wrong.
if last > now + ARGV[5] then last = 0 end
local function decided()
  if recorded and due > last then redis.call('SET', KEYS[5], ARGV[2], 'PX', lifetime) end
end
if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 then
  if ARGV[12] == '1' and redis.pcall('GET', KEYS[2]) == ARGV[10] then return 'queued' end
  decided()
  return 'known'
end
if recorded then
  -- A worker whose clock is ahead may have run a tick before its time.
  local may_have_run = due <= now or ARGV[11] ~= '1'
  if last >= due or (may_have_run and redis.call('EXISTS', KEYS[4]) == 1) then return 'known' end
end
local pause = redis.pcall('HGET', KEYS[7], ARGV[13])
for span in string.gmatch(type(pause) == 'string' and pause .. ',' or '', '([^,]*),') do
  -- A pause that has ended covers its own time alone; any other value is a pause that lasts.
  local since, ended = string.match(span, '^(%d+)%-(%d+)$')
  if not ended or (due >= tonumber(since) and due < tonumber(ended)) then
    decided()
    return 'paused'
  end
end
if recorded and now - due > tonumber(ARGV[3]) then return 'late' end
if ARGV[7] == '1' then
  local before = redis.pcall('GET', KEYS[6])
  if type(before) == 'string' and before ~= id and redis.call('ZSCORE', KEYS[1], before) then
    decided()
    return 'overlap'
  end
end
redis.call('ZADD', KEYS[1], ARGV[2], id)
redis.call('SET', KEYS[2], ARGV[10], 'PX', string.format('%.0f', math.max(due - now, 0) + ARGV[6]))
decided()
if ARGV[7] == '1' then redis.call('SET', KEYS[6], id, 'PX', ARGV[8]) end
redis.pcall('PUBLISH', ARGV[9], ARGV[2] .. (due <= now and ' ' .. id or ''))
return 'queued'
