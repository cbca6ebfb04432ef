-- Removes jobs from one queue, with all that is kept of them. A job that runs is left alone unless forced: its worker
-- would run on, and settle nothing. Keys of a wrong type go with their job; a set that is none has nothing of it.
--
-- KEYS[1] -> queue, KEYS[2] -> <queue>:reserved, KEYS[3] -> arq:abort, KEYS[4] -> arq:dead
-- then for each job: arq:in-progress:<id>, arq:job:<id>, arq:retry:<id>, arq:result:<id>, arq:dead:<id>, arq:trace:<id>,
-- arq:error:<id>
-- ARGV[1] -> '1' to take running jobs too, ARGV[2] -> '1' to take kept results and dead letters too, ARGV[3..] -> ids
-- Output: for each job 1 (removed), 0 (not there), or 2 (runs, left)
local out = {}
local function drop(set, id)
  local removed = redis.pcall('ZREM', set, id)
  return type(removed) == 'number' and removed or 0
end
for i = 1, #ARGV - 2 do
  local id = ARGV[i + 2]
  local in_progress, job, retry, result, letter, trace, last_error = unpack(KEYS, 7 * i - 2, 7 * i + 4)
  -- The fence of an ended job, see finish.lua, is no run.
  local holder = ARGV[1] ~= '1' and redis.pcall('GET', in_progress)
  local running = holder and holder ~= 'ended'
  if running and type(redis.pcall('ZSCORE', KEYS[1], id)) == 'string' then
    out[i] = 2
  else
    local removed = drop(KEYS[1], id)
    drop(KEYS[2], id)
    drop(KEYS[3], id)
    removed = removed + redis.call('DEL', job)
    redis.call('DEL', in_progress, retry, trace, last_error)
    if ARGV[2] == '1' then
      removed = removed + redis.call('DEL', result, letter) + drop(KEYS[4], id)
    end
    out[i] = removed > 0 and 1 or 0
  end
end
return out
