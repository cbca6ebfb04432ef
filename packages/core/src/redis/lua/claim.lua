-- Takes reserved jobs for one worker: the in-progress key gets its token and the lease, the score moves to the lease's
-- end, the try is counted.
-- A score that a claim wrote ends in a fraction of 1/128 ms units: odd while a lease is on it, the half of it the number
-- of tries that ended with the death of their worker. A job that comes due with an odd one was never given back: its
-- worker died. Whole milliseconds are all that anybody else reads.
-- A job that Python holds, that is gone, or that is no longer due is left as it was, and so
-- are all jobs of a queue that was paused since they were reserved.
-- A job with a key of a wrong type, a try counter that is no number or a score that is not finite is left out and
-- reported, one without a payload is left to claim-expired.lua; the others of the batch are taken all the same.
-- Repeating a call whose reply was lost gives the same jobs without counting another try; abort requests are only
-- read, for the same reason, and go when the job is settled.
-- Questions and writes for several jobs are combined: a call from a script costs about as much as the command itself.
--
-- KEYS[1] -> queue, KEYS[2] -> <queue>:reserved, KEYS[3] -> arq:abort, KEYS[4] -> arq:paused
-- KEYS[3i+2] -> arq:in-progress:<id>, KEYS[3i+3] -> arq:job:<id>, KEYS[3i+4] -> arq:retry:<id> of the i-th job
-- ARGV[1] -> token, ARGV[2] -> lease in ms, ARGV[3] -> '1' to honour abort requests, ARGV[4] -> TTL of the try counter
--   in s, ARGV[5] -> ms to pass a held job over, ARGV[6] -> where the id begins in arq:in-progress:<id>, from 1
-- ARGV[7] -> '1' where workers listen to keyspace events: scores then move by ZADD INCR, whose event is 'zincr', so that
--   a listener for 'zadd' hears producers only
-- Output: now, then for each id its score before the claim, false where it was not taken, or '' where its payload
--   is gone; then the number of jobs taken with more to report (another try than the first, an abort asked for, deaths),
--   and for each of them: its number among those taken, from 1, its try, when its abort was asked for or false, and its
--   deaths; then the payloads of those taken; then, where there are faults, a list of them: number of the job or 0, of the key, reason
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, lease, id_at = ARGV[1], ARGV[2], tonumber(ARGV[6])
local lease_end, one_by_one = string.format('%.0f', now + lease) .. '.0078125', ARGV[7] == '1'
local max_deaths = 63
local faults = {}
local function fault(job, key, reason)
  local n = #faults
  faults[n + 1], faults[n + 2], faults[n + 3] = job, key, reason
end
local paused, aborts = 0, false
-- Mostly there is neither.
if redis.call('EXISTS', KEYS[3], KEYS[4]) > 0 then
  paused = redis.pcall('SISMEMBER', KEYS[4], KEYS[1])
  if type(paused) == 'table' then fault(0, 4, paused.err) end
  aborts = ARGV[3] == '1' and redis.call('EXISTS', KEYS[3]) == 1
end
local out, more, payloads = { now }, {}, {}

-- Why a due job that was not claimed is left to itself for a while; nothing where its payload is gone.
local function obstacle(job, k, holder, stored)
  -- The fence of an ended job, see finish.lua, is none to a new job of its id.
  if holder == 'ended' and not stored then return false end
  if type(holder) == 'string' then return true end
  if holder then
    fault(job, k, holder.err)
  elseif stored then
    fault(job, 1, 'the score is not finite')
  elseif redis.call('EXISTS', KEYS[k + 1]) == 1 then
    fault(job, k + 1, 'WRONGTYPE a job is a string')
  else
    return false
  end
  return true
end

for from = 5, #KEYS, 1500 do
  local last = math.min(from + 1499, #KEYS)
  local ids, jobs = {}, {}
  for k = from, last, 3 do
    ids[#ids + 1] = string.sub(KEYS[k], id_at)
    jobs[#jobs + 1] = KEYS[k + 1]
  end
  local scores = redis.call('ZMSCORE', KEYS[1], unpack(ids))
  local stored = redis.call('MGET', unpack(jobs))
  local asked = aborts and redis.pcall('ZMSCORE', KEYS[3], unpack(ids))
  if asked and asked.err then
    fault(0, 3, asked.err)
    aborts, asked = false, false
  end
  local moved, settled, held = {}, {}, {}
  for i, id in ipairs(ids) do
    local k = from + 3 * i - 3
    local score = scores[i] and tonumber(scores[i])
    local due = score and score <= now and paused ~= 1
    local claimed = due and stored[i] and score ~= -math.huge and redis.call('SET', KEYS[k], token, 'NX', 'PX', lease)
    local holder = not claimed and score and redis.pcall('GET', KEYS[k])
    if holder == 'ended' and due and stored[i] and score ~= -math.huge then
      claimed, holder = redis.call('SET', KEYS[k], token, 'PX', lease), false
    end
    local again = holder == token
    local taken, try, apart, deaths = false, 1, false, 0
    if (claimed or again) and score % 1 ~= 0 then
      local units = math.floor(score % 1 * 128 + 0.5)
      deaths = math.min(math.floor(units / 2) + (claimed and units % 2 or 0), max_deaths)
    end
    if claimed then
      if not redis.call('SET', KEYS[k + 2], '1', 'NX', 'EX', ARGV[4]) then
        try = redis.pcall('INCR', KEYS[k + 2])
        if type(try) == 'table' then
          redis.call('DEL', KEYS[k])
          fault((k - 2) / 3, k + 2, try.err)
          claimed, apart = false, true
        elseif redis.call('TTL', KEYS[k + 2]) < tonumber(ARGV[4]) then
          redis.call('EXPIRE', KEYS[k + 2], ARGV[4])
        end
      end
    elseif again then
      local counted = redis.pcall('GET', KEYS[k + 2])
      try = type(counted) == 'string' and tonumber(counted) or 1
    elseif due then
      apart = obstacle((k - 2) / 3, k, holder, stored[i])
      if not apart then taken = '' end
    end
    if claimed and one_by_one and score > -9e15 then
      local by = now + lease - score + (2 * deaths + 1) / 128
      redis.call('ZADD', KEYS[1], 'XX', 'INCR', string.format('%.7f', by), id)
    elseif claimed then
      moved[#moved + 1] = deaths == 0 and lease_end or string.format('%.7f', now + lease + (2 * deaths + 1) / 128)
      moved[#moved + 1] = id
    end
    if claimed or again then
      taken = score
      local abort = asked and asked[i] or false
      if try ~= 1 or abort or deaths > 0 then
        local n = #more
        more[n + 1], more[n + 2], more[n + 3], more[n + 4] = #payloads + 1, try, abort, deaths
      end
      payloads[#payloads + 1] = stored[i]
    end
    out[#out + 1] = taken
    if apart then
      held[#held + 1] = string.format('%.0f', now + ARGV[5])
      held[#held + 1] = id
    else
      settled[#settled + 1] = id
    end
  end
  if #moved > 0 then redis.call('ZADD', KEYS[1], 'XX', unpack(moved)) end
  if #held > 0 then redis.pcall('ZADD', KEYS[2], unpack(held)) end
  if #settled > 0 then redis.pcall('ZREM', KEYS[2], unpack(settled)) end
end
out[#out + 1] = #more / 4
for i = 1, #more do out[#out + 1] = more[i] end
for i = 1, #payloads do out[#out + 1] = payloads[i] end
if #faults > 0 then out[#out + 1] = faults end
return out
