-- Counts the jobs that a worker holds, in the order given. Nothing is written.
--
-- KEYS[1..] -> arq:in-progress:<id> of each job
-- ARGV[1] -> the value of a key whose job has ended: nobody holds it
-- Output: number of jobs that are held, place of the first that is not or 0, then the place of each key of another type:
--   such a job is held as well, since arq asks only whether the key exists
local held, first, faulty = 0, 0, {}
for k, key in ipairs(KEYS) do
  local holder = redis.pcall('GET', key)
  if type(holder) == 'table' then faulty[#faulty + 1] = k end
  if holder and holder ~= ARGV[1] then
    held = held + 1
  elseif first == 0 then
    first = k
  end
end
return { held, first, unpack(faulty) }
