-- Gives jobs back to their queue, to run at a given time: a retry, or a hand-back at shutdown that counts as no try.
-- Fenced like finish.lua. The lifetimes of payload and try counter are extended past the new time, and an evicted
-- payload is put back. A repeated call whose reply was lost counts as done.
--
-- KEYS[4i+1] -> queue, KEYS[4i+2] -> arq:in-progress:<id>, KEYS[4i+3] -> arq:job:<id>, KEYS[4i+4] -> arq:retry:<id>
-- ARGV[1] -> '1' when the batch is sent again after a lost reply, ARGV[2] -> lifetime in ms that a payload is left with
--   at least, ARGV[3] -> TTL of the try counter in s
-- ARGV[8i+4..8i+11] -> id, token, try, 'at' or 'in', due (unix ms or ms from now), '1' to uncount the try, payload,
--   wake channel
-- Output: for each job 1 (given back) or 0 (lost)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local earliest = {}
local out = {}
for i = 0, #KEYS / 4 - 1 do
  local queue, in_progress, job, retry = unpack(KEYS, 4 * i + 1, 4 * i + 4)
  local id, token, try, kind, due, uncount, payload, channel = unpack(ARGV, 8 * i + 4, 8 * i + 11)
  local holder = redis.call('GET', in_progress)
  local held = holder == token
    or (not holder and redis.call('GET', retry) == try and redis.call('ZSCORE', queue, id) and true or false)
  if held then
    due = tonumber(due)
    if kind == 'in' then due = now + due end
    local keep = math.max(due - now, 0) + ARGV[2]
    local ttl = redis.call('PTTL', job)
    if ttl == -2 then
      redis.call('SET', job, payload, 'PX', string.format('%.0f', keep))
    elseif ttl >= 0 and ttl < keep then
      redis.call('PEXPIRE', job, string.format('%.0f', keep))
    end
    redis.call('ZADD', queue, string.format('%.0f', due), id)
    redis.call('DEL', in_progress)
    if uncount == '1' and redis.call('DECR', retry) <= 0 then
      redis.call('DEL', retry)
    else
      redis.call('EXPIRE', retry, string.format('%.0f', math.max(due - now, 0) / 1000 + ARGV[3]))
    end
    if not earliest[channel] or due < earliest[channel] then earliest[channel] = due end
  elseif ARGV[1] == '1' and uncount == '1' and not holder and redis.call('ZSCORE', queue, id) then
    -- The first call uncounted the try that this one names.
    held = tonumber(redis.call('GET', retry) or 0) == try - 1
  end
  out[i + 1] = held and 1 or 0
end
for channel, due in pairs(earliest) do
  redis.pcall('PUBLISH', channel, string.format('%.0f', due))
end
return out
