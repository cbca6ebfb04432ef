-- Counts dead letters by queue. Nothing is written.
--
-- KEYS[1..] -> arq:dead:<id> of each letter
-- Output: list of queues and their numbers in turn, then the number of each key of another type
local counts, order, faulty = {}, {}, {}
for k, key in ipairs(KEYS) do
  local queue = redis.pcall('HGET', key, 'queue')
  if type(queue) == 'table' then
    faulty[#faulty + 1] = k
  elseif queue then
    if not counts[queue] then order[#order + 1] = queue end
    counts[queue] = (counts[queue] or 0) + 1
  end
end
local out = {}
for _, queue in ipairs(order) do
  out[#out + 1] = queue
  out[#out + 1] = counts[queue]
end
return { out, faulty }
