-- Reads due members of a queue behind an anchor, in their order. Nothing is written. The anchor need not be there any
-- more: the page then begins with the first member of its score.
--
-- KEYS[1] -> queue, KEYS[2] -> arq:paused
-- ARGV[1] -> the anchor's score, or '' to begin at the head, ARGV[2] -> the anchor's id, ARGV[3] -> how many
-- Output: now in unix ms, then of each member its id and its score
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local out = { now }
if redis.pcall('SISMEMBER', KEYS[2], KEYS[1]) == 1 then return out end
local start = 0
if ARGV[1] ~= '' then
  local rank = redis.call('ZSCORE', KEYS[1], ARGV[2]) == ARGV[1] and redis.call('ZRANK', KEYS[1], ARGV[2])
  start = rank and rank + 1 or redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[1])
end
local members = redis.call('ZRANGE', KEYS[1], start, start + ARGV[3] - 1, 'WITHSCORES')
for i = 1, #members, 2 do
  if tonumber(members[i + 1]) > now then break end
  out[i + 1], out[i + 2] = members[i], members[i + 1]
end
return out
