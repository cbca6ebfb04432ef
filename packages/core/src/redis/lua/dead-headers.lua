-- Reads the same fields of many dead letters. Nothing is written.
--
-- KEYS[1..] -> arq:dead:<id> of each letter
-- ARGV[1..] -> names of the fields
-- Output: the fields of each letter in turn, null for one that it lacks, then the number of each key of another type
local out, faulty = {}, {}
for k, key in ipairs(KEYS) do
  local fields = redis.pcall('HMGET', key, unpack(ARGV))
  if fields.err then
    faulty[#faulty + 1] = k
    fields = {}
  end
  for i = 1, #ARGV do
    out[#out + 1] = fields[i] or false
  end
end
return { out, faulty }
