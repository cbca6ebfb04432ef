-- Takes jobs out of Redis while they are as they were seen, and returns all that was kept of them, so that they can be put
-- back. A job that runs, has moved, or has a key of a wrong type is left alone.
--
-- KEYS[1] -> queue, KEYS[2] -> <queue>:reserved, KEYS[3] -> arq:abort, KEYS[4] -> arq:dead
-- then for each job: arq:in-progress:<id>, arq:job:<id>, arq:retry:<id>, arq:result:<id>, arq:dead:<id>, arq:trace:<id>,
-- arq:error:<id>
-- ARGV[1] -> 'take', 'drop' (take without an answer) or 'peek' (answer without taking)
-- ARGV[2..] -> pairs of an id and where it was seen: 'q<score>' in the queue, 'd<score>' among the dead, 'r' by its result
-- Output: for each job 0 (changed, left), 2 (runs, left), 1 (dropped), or
-- { score, payload, payload ms, tries, result, result ms, dead score, letter ms, letter as fields and values }
for i = 1, 4 do redis.call('ZCARD', KEYS[i]) end
local mode = ARGV[1]
local function holds(key, kind)
  local found = redis.call('TYPE', key).ok
  return found == 'none' or found == kind
end
local function seen(place, score, dead_score, result)
  local kind = string.sub(place, 1, 1)
  local wanted = tonumber(string.sub(place, 2))
  if kind == 'q' then return score and tonumber(score) == wanted end
  if score then return false end
  if kind == 'd' then return dead_score and tonumber(dead_score) == wanted end
  return result
end
local out = {}
for i = 1, (#ARGV - 1) / 2 do
  local id, place = ARGV[2 * i], ARGV[2 * i + 1]
  local in_progress, job, retry, result, letter, trace, last_error = unpack(KEYS, 7 * i - 2, 7 * i + 4)
  -- The fence that an end leaves, see finish.lua, holds nothing.
  local holder = redis.pcall('GET', in_progress)
  local score = redis.call('ZSCORE', KEYS[1], id)
  local dead_score = redis.call('ZSCORE', KEYS[4], id)
  local sound = holds(job, 'string') and holds(retry, 'string') and holds(result, 'string') and holds(letter, 'hash')
  if not sound then
    out[i] = 0
  elseif holder and holder ~= 'ended' then
    out[i] = 2
  elseif not seen(place, score, dead_score, redis.call('EXISTS', result) == 1) then
    out[i] = 0
  else
    out[i] = 1
    if mode ~= 'drop' then
      out[i] = {
        score, redis.call('GET', job), redis.call('PTTL', job), redis.call('GET', retry),
        redis.call('GET', result), redis.call('PTTL', result),
        dead_score, redis.call('PTTL', letter), redis.call('HGETALL', letter),
      }
    end
    if mode ~= 'peek' then
      for j = 1, 4 do redis.call('ZREM', KEYS[j], id) end
      redis.call('DEL', job, retry, result, letter, trace, last_error)
    end
  end
end
return out
