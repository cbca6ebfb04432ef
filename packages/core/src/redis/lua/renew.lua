-- Extends leases: in-progress key, score, and the lifetimes of payload and try counter. A lease that lapsed but that
-- nobody else took since (same try, due again) is taken up again; a job that was given back for later is not.
--
-- KEYS[4i+1] -> queue, KEYS[4i+2] -> arq:in-progress:<id>, KEYS[4i+3] -> arq:retry:<id>, KEYS[4i+4] -> arq:job:<id>
-- ARGV[1] -> lifetime in ms that a payload is left with at least, ARGV[2] -> TTL of the try counter in s
-- ARGV[4i+3..4i+6] -> id, token, try, lease in ms
-- Output: now, then for each job 1 (held) or 0 (lost)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local out = { now }
for i = 0, #KEYS / 4 - 1 do
  local queue, in_progress, retry, job = unpack(KEYS, 4 * i + 1, 4 * i + 4)
  local id, token, try, lease = unpack(ARGV, 4 * i + 3, 4 * i + 6)
  local holder = redis.call('GET', in_progress)
  local score = redis.call('ZSCORE', queue, id)
  local lapsed = not holder and score and tonumber(score) <= now
  local held = holder == token or (lapsed and redis.call('GET', retry) == try)
  if held then
    redis.call('SET', in_progress, token, 'PX', lease)
    if score then redis.call('ZADD', queue, 'XX', 'INCR', string.format('%.0f', now + lease - score), id) end
    local ttl = redis.call('PTTL', job)
    if ttl >= 0 and ttl < lease + 60000 then redis.call('PEXPIRE', job, lease + ARGV[1]) end
    if redis.call('TTL', retry) < tonumber(ARGV[2]) then redis.call('EXPIRE', retry, ARGV[2]) end
  end
  out[i + 2] = held and 1 or 0
end
return out
