-- Gives jobs back to their queue, to run at a given time: a retry, or a hand-back at shutdown that counts as no try.
-- Fenced like finish.lua. The lifetimes of payload and try counter are extended past the new time, and an evicted
-- payload is put back. A repeated call whose reply was lost counts as done.
-- The deaths that the score counts stay, the mark of the lease goes, see claim.lua.
-- Where the queue is no sorted set nothing is written, and the lease ends by itself; a try counter that is no number
-- keeps the try, and is reported.
--
-- KEYS[4i+1] -> queue, KEYS[4i+2] -> arq:in-progress:<id>, KEYS[4i+3] -> arq:job:<id>, KEYS[4i+4] -> arq:retry:<id>
-- ARGV[1] -> '1' when the batch is sent again after a lost reply, ARGV[2] -> lifetime in ms that a payload is left with
--   at least, ARGV[3] -> TTL of the try counter in s
-- ARGV[8i+4..8i+11] -> id, token, try, 'at' or 'in', due (unix ms or ms from now), '1' to uncount the try, payload,
--   wake channel
-- Output: for each job 1 (given back) or 0 (lost); then, where there are faults, a list of them: number of the job, of
--   the key, reason
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local earliest = {}
local out, faults = {}, {}
local function fault(job, key, reply)
  if type(reply) == 'table' and reply.err then
    local n = #faults
    faults[n + 1], faults[n + 2], faults[n + 3] = job, key, reply.err
    return true
  end
end
for i = 0, #KEYS / 4 - 1 do
  local queue, in_progress, job, retry = unpack(KEYS, 4 * i + 1, 4 * i + 4)
  local id, token, try, kind, due, uncount, payload, channel = unpack(ARGV, 8 * i + 4, 8 * i + 11)
  local holder = redis.pcall('GET', in_progress)
  if fault(i + 1, 4 * i + 2, holder) then holder = false end
  local held = holder == token
    or (not holder and redis.pcall('GET', retry) == try and type(redis.pcall('ZSCORE', queue, id)) == 'string')
  due = tonumber(due)
  if kind == 'in' then due = now + due end
  local score = held and redis.pcall('ZSCORE', queue, id)
  local deaths = type(score) == 'string' and math.floor(math.floor(tonumber(score) % 1 * 128 + 0.5) / 2) or 0
  local at = deaths > 0 and string.format('%.7f', due + deaths / 64) or string.format('%.0f', due)
  if held and fault(i + 1, 4 * i + 1, redis.pcall('ZADD', queue, at, id)) then
    held = false
  elseif held then
    local keep = math.max(due - now, 0) + ARGV[2]
    local ttl = redis.call('PTTL', job)
    if ttl == -2 then
      redis.call('SET', job, payload, 'PX', string.format('%.0f', keep))
    elseif ttl >= 0 and ttl < keep then
      redis.call('PEXPIRE', job, string.format('%.0f', keep))
    end
    redis.call('DEL', in_progress)
    local left = uncount == '1' and redis.pcall('DECR', retry) or 1
    if fault(i + 1, 4 * i + 4, left) then left = 1 end
    if left <= 0 then
      redis.call('DEL', retry)
    else
      redis.call('EXPIRE', retry, string.format('%.0f', math.max(due - now, 0) / 1000 + ARGV[3]))
    end
    if not earliest[channel] or due < earliest[channel] then earliest[channel] = due end
  elseif ARGV[1] == '1' and uncount == '1' and not holder and redis.pcall('ZSCORE', queue, id) then
    -- The first call uncounted the try that this one names.
    local counted = redis.pcall('GET', retry)
    held = type(counted) ~= 'table' and tonumber(counted or 0) == try - 1
  end
  out[i + 1] = held and 1 or 0
end
for channel, due in pairs(earliest) do
  redis.pcall('PUBLISH', channel, string.format('%.0f', due))
end
if #faults > 0 then out[#out + 1] = faults end
return out
