-- Extends the leases of running jobs: in-progress key, score, and the lifetimes of payload and try counter. A job that
-- is in no queue does not run: a cron job's in-progress key outlives its end, and stays as it is.
-- A lease that lapsed, or whose key was overwritten with another type, and that nobody else took since (same try, due
-- again) is taken up again; a job that was given back for later is not.
-- A faulty key is reported; it neither stops the renewal of the others, nor loses its own job the lease.
--
-- KEYS[4i+1] -> queue, KEYS[4i+2] -> arq:in-progress:<id>, KEYS[4i+3] -> arq:retry:<id>, KEYS[4i+4] -> arq:job:<id>
-- ARGV[1] -> lifetime in ms that a payload is left with at least, ARGV[2] -> TTL of the try counter in s
-- ARGV[4i+3..4i+6] -> id, token, try, lease in ms
-- Output: now, then for each job 1 (held) or 0 (lost); then, where there are faults, a list of them: number of the job,
--   of the key, reason
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local out, faults = { now }, {}
local function fault(job, key, reply)
  local n = #faults
  faults[n + 1], faults[n + 2], faults[n + 3] = job, key, reply.err
end
for i = 0, #KEYS / 4 - 1 do
  local queue, in_progress, retry, job = unpack(KEYS, 4 * i + 1, 4 * i + 4)
  local id, token, try, lease = unpack(ARGV, 4 * i + 3, 4 * i + 6)
  local holder = redis.pcall('GET', in_progress)
  local score = redis.pcall('ZSCORE', queue, id)
  if type(score) == 'table' then fault(i + 1, 4 * i + 1, score) end
  local at = type(score) == 'string' and tonumber(score)
  local held = score and holder == token
  if type(holder) == 'table' then
    fault(i + 1, 4 * i + 2, holder)
    held = at and redis.pcall('GET', retry) == try
  elseif not holder then
    held = at and at <= now and redis.pcall('GET', retry) == try
  end
  if held then
    redis.call('SET', in_progress, token, 'PX', lease)
    if at and math.abs(at) < 9e15 then
      -- By whole milliseconds: the fraction counts deaths, see claim.lua.
      redis.call('ZADD', queue, 'XX', 'INCR', string.format('%.0f', now + lease - math.floor(at)), id)
    elseif at then
      redis.call('ZADD', queue, 'XX', string.format('%.7f', now + lease + 1 / 128), id)
    end
    local ttl = redis.call('PTTL', job)
    if ttl >= 0 and ttl < lease + 60000 then redis.call('PEXPIRE', job, lease + ARGV[1]) end
    if redis.call('TTL', retry) < tonumber(ARGV[2]) then redis.call('EXPIRE', retry, ARGV[2]) end
  end
  out[i + 2] = held and 1 or 0
end
if #faults > 0 then out[#out + 1] = faults end
return out
