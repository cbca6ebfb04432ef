-- Appends what one job logged to its stream, of a bounded size: each entry carries the bytes of all up to itself, so the
-- oldest that no longer fit are found without reading the others.
--
-- KEYS[1] -> arq:obs:log:<id>: stream, KEYS[2] -> arq:obs:logged: list of jobs with a log, the newest first
-- ARGV[1] -> bytes at most, ARGV[2] -> TTL of the stream in ms, ARGV[3] -> jobs at most, ARGV[4] -> id, ARGV[5] -> channel
--   on which readers are woken, ARGV[6] -> name of these entries, ARGV[7] -> '1' when the call is sent again after a lost
--   reply: entries of that name are then there already, ARGV[8] -> TTL of the list in ms, then the entries
-- Output: the id of the job whose log has to go, or an empty list
local stream, index, most = KEYS[1], KEYS[2], tonumber(ARGV[1])
local function bytes_at(entry)
  return tonumber(entry[2][4]) or 0
end
local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
if ARGV[7] == '1' then
  for _, entry in ipairs(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 50)) do
    if entry[2][6] == ARGV[6] then return {} end
  end
end
local total = last and bytes_at(last) or 0
for i = 9, #ARGV do
  total = total + #ARGV[i]
  redis.call('XADD', stream, '*', 'j', ARGV[i], 'b', string.format('%.0f', total), 'n', ARGV[6])
end
redis.call('PEXPIRE', stream, ARGV[2])
while true do
  local page = redis.call('XRANGE', stream, '-', '+', 'COUNT', 20)
  local dropped = 0
  for _, entry in ipairs(page) do
    if bytes_at(entry) - #entry[2][2] >= total - most then break end
    redis.call('XDEL', stream, entry[1])
    dropped = dropped + 1
  end
  if dropped < 20 then break end
end
redis.pcall('PUBLISH', ARGV[5], '')
local length = not last and redis.pcall('LPUSH', index, ARGV[4])
-- The list goes with the newest of its logs.
redis.pcall('PEXPIRE', index, ARGV[8])
if type(length) == 'number' and length > tonumber(ARGV[3]) then return { redis.call('RPOP', index) } end
return {}
