-- Admits series to the table, which is bounded: what was not seen for long makes room, and what finds none is folded.
--
-- KEYS[1] -> arq:obs:series: name -> id and time last seen
-- ARGV[1] -> series at most, ARGV[2] -> now in unix ms, ARGV[3] -> a series last seen before this may go,
-- then for each series: name, id
-- Output: for each, 1 (has a place) or 0; then, where there is a fault, its reason
local key, most, oldest = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[3])
local out, size = {}, redis.pcall('HLEN', KEYS[1])
local reason = type(size) == 'table' and size.err
for i = 4, #ARGV, 2 do
  local has = 0
  if not reason then
    if redis.call('HEXISTS', key, ARGV[i]) == 1 then
      has = 1
    else
      if size >= most then
        local entries = redis.call('HGETALL', key)
        for e = 1, #entries, 2 do
          local seen = tonumber(string.match(entries[e + 1], '%d+$') or 0)
          if seen < oldest then size = size - redis.call('HDEL', key, entries[e]) end
        end
      end
      if size < most then
        size = size + redis.call('HSET', key, ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[2])
        has = 1
      end
    end
  end
  out[#out + 1] = has
end
if reason then out[#out + 1] = reason end
return out
