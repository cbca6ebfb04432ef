-- Notes how a member ends before its job is settled, so that no kill between the two loses the outcome, whether the
-- result is kept or not. A note counts once the job has left its queue, see flow-end.lua; a job that runs again notes
-- again.
-- Members that its handler has added are drafts until then, which only the note makes count: a run that dies before it,
-- or that ends otherwise, adds nothing. More drafts than one call takes come in several, the last of which notes.
-- Fenced like finish.lua: a worker that lost its lease notes nothing. A lease that lapsed, but that nobody else took since
-- (same try, still queued), counts as held there, and so it does here: else the job would end without its note.
--
-- KEYS[1] -> arq:flow:<id>, KEYS[2] -> arq:flow-open:<id>, KEYS[3] -> arq:flow-calls:<id>, KEYS[4] -> arq:flow-results:<id>,
-- KEYS[5] -> queue, KEYS[6] -> arq:in-progress:<job id>, KEYS[7] -> arq:retry:<job id>
-- ARGV[1] -> job id, ARGV[2] -> token, ARGV[3] -> try, ARGV[4] -> member, ARGV[5] -> outcome, '' where more drafts follow,
-- ARGV[6] -> result, '' for none, ARGV[7] -> number of drafts that came before these
-- then for each draft: the members before it and those after it (with commas), definition, payload
-- Output: 1 (noted) or 0 (the lease is lost, or the member is not open)
local flow, open, calls, results, queue, in_progress, retry = unpack(KEYS, 1, 7)
local member, outcome, result = ARGV[4], ARGV[5], ARGV[6]
redis.call('HLEN', calls)
redis.call('HLEN', results)
local stored = tonumber(redis.call('HGET', flow, 's:' .. member) or 0)
local holder = redis.pcall('GET', in_progress)
local held = holder == ARGV[2]
if type(holder) ~= 'string' then
  held = redis.pcall('GET', retry) == ARGV[3] and type(redis.pcall('ZSCORE', queue, ARGV[1])) == 'string'
end
if not held or redis.call('SISMEMBER', open, member) == 0 then return { 0 } end
local count = tonumber(ARGV[7])
for i = 8, #ARGV, 4 do
  local before, after, definition, payload = unpack(ARGV, i, i + 3)
  local key = member .. '.' .. count
  redis.call('HSET', flow, 'd:' .. key, before .. '|' .. after .. '|' .. definition)
  redis.call('HSET', calls, key, payload)
  count = count + 1
end
-- An earlier run may have left more: flow-end.lua removes them.
if count > stored then redis.call('HSET', flow, 's:' .. member, count) end
if outcome ~= '' then
  redis.call('HSET', flow, 'n:' .. member, outcome)
  if count > 0 or stored > 0 then redis.call('HSET', flow, 'c:' .. member, count) end
  if result ~= '' then redis.call('HSET', results, member, result) end
end
return { 1 }
