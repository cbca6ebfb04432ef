-- Counts the jobs that a worker holds, in the order given. Nothing is written.
--
-- KEYS[1..] -> arq:in-progress:<id> of each job
-- ARGV[1] -> the value of a key whose job has ended: nobody holds it
-- Output: number of jobs that are held, place of the first that is not or 0, then the place of each key of another type:
--   such a job is held as well, since arq asks only whether the key exists
local holders = redis.call('MGET', unpack(KEYS))
-- MGET has no value for a key of another type. None of those without one exists, as a rule.
local without = {}
for k, holder in ipairs(holders) do
  if not holder then without[#without + 1] = KEYS[k] end
end
local any_faulty = #without > 0 and redis.call('EXISTS', unpack(without)) > 0
local held, first, faulty = 0, 0, {}
for k, holder in ipairs(holders) do
  local is_faulty = any_faulty and not holder and redis.call('EXISTS', KEYS[k]) == 1
  if is_faulty then faulty[#faulty + 1] = k end
  if is_faulty or (holder and holder ~= ARGV[1]) then
    held = held + 1
  elseif first == 0 then
    first = k
  end
end
return { held, first, unpack(faulty) }
