-- Takes reserved jobs for one worker: the in-progress key gets its token and the lease, the score moves to the lease's
-- end, the try is counted. A job that Python holds, that is gone, or that is no longer due is left as it was, and so
-- are all jobs of a queue that was paused since they were reserved.
-- Repeating a call whose reply was lost gives the same jobs without counting another try; abort requests are only
-- read, for the same reason, and go when the job is settled.
-- What can be asked or done for all jobs at once is: a call from a script costs about as much as the command itself.
--
-- KEYS[1] -> queue, KEYS[2] -> <queue>:reserved, KEYS[3] -> arq:abort, KEYS[4] -> arq:paused
-- KEYS[3i+5] -> arq:in-progress:<id>, KEYS[3i+6] -> arq:job:<id>, KEYS[3i+7] -> arq:retry:<id>
-- ARGV[1] -> token, ARGV[2] -> lease in ms, ARGV[3] -> '1' to honour abort requests, ARGV[4] -> TTL of the try counter
--   in s, ARGV[5] -> ms to pass a held job over, ARGV[6] -> where the id begins in KEYS[3i+5], from 1
-- ARGV[7] -> '1' where workers listen to keyspace events: scores then move by ZADD INCR, whose event is 'zincr', so that
--   a listener for 'zadd' hears producers only
-- Output: now, then for each id its score before the claim, or false where it was not taken; then of how many of those
--   taken there is more to tell (another try than the first, an abort asked for), and of each of them: its number among
--   those taken, from 1, its try, and when its abort was asked for or false; then the payloads (or false) of those taken
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, lease, id_at = ARGV[1], ARGV[2], tonumber(ARGV[6])
local lease_end, one_by_one = string.format('%.0f', now + lease), ARGV[7] == '1'
local paused = redis.call('SISMEMBER', KEYS[4], KEYS[1]) == 1
local aborts = ARGV[3] == '1' and redis.call('EXISTS', KEYS[3]) == 1
local out, more, jobs = { now }, {}, {}
for from = 5, #KEYS, 1500 do
  local last = math.min(from + 1499, #KEYS)
  local ids = {}
  for k = from, last, 3 do ids[#ids + 1] = string.sub(KEYS[k], id_at) end
  local scores = redis.call('ZMSCORE', KEYS[1], unpack(ids))
  local asked = aborts and redis.call('ZMSCORE', KEYS[3], unpack(ids))
  local moved, settled, held = {}, {}, {}
  for i, id in ipairs(ids) do
    local k = from + 3 * i - 3
    local score = scores[i] and tonumber(scores[i])
    local due = score and score <= now and not paused
    local claimed = due and redis.call('SET', KEYS[k], token, 'NX', 'PX', lease)
    local again = not claimed and score and redis.call('GET', KEYS[k]) == token
    if claimed or again then
      local try = 1
      if again then
        try = tonumber(redis.call('GET', KEYS[k + 2]))
      else
        if one_by_one then
          redis.call('ZADD', KEYS[1], 'XX', 'INCR', string.format('%.0f', now + lease - score), id)
        else
          moved[#moved + 1] = lease_end
          moved[#moved + 1] = id
        end
        if not redis.call('SET', KEYS[k + 2], '1', 'NX', 'EX', ARGV[4]) then
          try = redis.call('INCR', KEYS[k + 2])
          if redis.call('TTL', KEYS[k + 2]) < tonumber(ARGV[4]) then redis.call('EXPIRE', KEYS[k + 2], ARGV[4]) end
        end
      end
      out[#out + 1] = score
      local abort = asked and asked[i] or false
      if try ~= 1 or abort then
        local n = #more
        more[n + 1], more[n + 2], more[n + 3] = #jobs + 1, try, abort
      end
      jobs[#jobs + 1] = KEYS[k + 1]
    else
      out[#out + 1] = false
    end
    if due and not claimed and not again then
      held[#held + 1] = string.format('%.0f', now + ARGV[5])
      held[#held + 1] = id
    else
      settled[#settled + 1] = id
    end
  end
  if #moved > 0 then redis.call('ZADD', KEYS[1], 'XX', unpack(moved)) end
  if #held > 0 then redis.call('ZADD', KEYS[2], unpack(held)) end
  if #settled > 0 then redis.call('ZREM', KEYS[2], unpack(settled)) end
end
out[#out + 1] = #more / 3
for i = 1, #more do out[#out + 1] = more[i] end
for from = 1, #jobs, 1000 do
  local last = math.min(from + 999, #jobs)
  local payloads = redis.call('MGET', unpack(jobs, from, last))
  for i = 1, last - from + 1 do out[#out + 1] = payloads[i] end
end
return out
