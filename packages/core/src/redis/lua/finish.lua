-- Ends jobs of one queue for good: the result is stored, everything else of the job goes, the end is counted. arq's
-- finish_job and finish_failed_job.
-- Fenced: nothing happens to a job whose in-progress key holds another token. A lease that lapsed, or whose key was
-- overwritten with another type, but that nobody else took since (same try, still queued) still counts as held; a
-- repeated call whose reply was lost counts as done. A result that is there already is never overwritten: the job
-- leaves the queue, and its end counts as lost.
-- Python's Job.abort() that meets the end of a job puts its id back without a payload, and arq's worker would replace
-- the result by "job expired". Where aborts are asked for, the in-progress key of a job whose result is kept stays for
-- a minute, as long as arq itself keeps a cron job's, as a fence: arq starts nothing that has one, and claim-expired.lua
-- removes the id. The minute is for a process of Python that stands still between the two steps of its abort(). Workers
-- of ours take a job with the same id, enqueued anew, in spite of the fence.
-- A key of a wrong type is reported and costs the job no more than what that key would hold: a letter, a count.
-- Jobs of a batch mostly end alike: they come by the way they ended. Their commands are combined.
--
-- KEYS[1] -> arq:abort, KEYS[2] -> arq:dead, KEYS[3] -> queue, KEYS[4] -> arq:stats:<queue>
-- then for each job: arq:in-progress:<id>, arq:job:<id>, arq:retry:<id>, arq:result:<id>
-- then for each dead letter: arq:dead:<id>
-- ARGV[1] -> '1' when the batch is sent again after a lost reply, ARGV[2] -> queue name, ARGV[3] -> where the id begins
--   in arq:in-progress:<id>, from 1, ARGV[4] -> number of jobs, ARGV[5] -> number of ways, ARGV[6] -> '1' where aborts
--   were asked for lately, ARGV[7] -> channel on which the ends of all jobs are announced in one message, or '' to
--   announce each on a channel of its own: in a cluster every message goes to every node
-- then for each way: how many jobs, token, try, outcome (complete, failed or aborted: what is counted), result TTL in ms
--   (0 for ever, -1 none), ms to keep the in-progress key (0 none)
-- then for each job, those of the first way first: result
-- then for each dead letter: number of its job from 1, its TTL in ms, payload, function, error, try
-- Output: the numbers, from 1, of the jobs that were lost; then, where there are faults, a list of them: number of the
--   job or 0, of the key, reason
local queue = KEYS[3]
local resent = ARGV[1] == '1'
local requests = redis.pcall('ZCARD', KEYS[1])
local aborts = requests ~= 0
local id_at, jobs, ways = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local together = ARGV[7]
local values = 7 + 6 * ways
local asked = ARGV[6] == '1' or (aborts and type(requests) == 'number')
local fence_ms = asked and 60000 or 0
local counts, out, holders, faults = {}, {}, {}, {}
local done, gone, fresh = {}, {}, {}
local function fault(job, key, reply)
  if type(reply) == 'table' and reply.err then
    local n = #faults
    faults[n + 1], faults[n + 2], faults[n + 3] = job, key, reply.err
    return true
  end
end

-- Whether the lease is still this worker's, where its in-progress key says nothing.
local function untaken(i, retry, try, id)
  local counted = redis.pcall('GET', retry)
  fault(i, 4 * i + 3, counted)
  return counted == try and type(redis.pcall('ZSCORE', queue, id)) == 'string'
end

for from = 1, jobs, 1000 do
  local keys = {}
  for i = from, math.min(from + 999, jobs) do keys[#keys + 1] = KEYS[4 * i + 1] end
  for i, holder in ipairs(redis.call('MGET', unpack(keys))) do holders[from + i - 1] = holder end
end
local i = 0
for way = 1, ways do
  local count, token, try, outcome, ttl, keep = unpack(ARGV, 6 * way + 2, 6 * way + 7)
  local ended = 0
  local fence = keep == '0' and fence_ms > 0 and ttl ~= '-1'
  local fenced_ms = fence and (ttl == '0' and fence_ms or math.min(fence_ms, tonumber(ttl)))
  for _ = 1, tonumber(count) do
    i = i + 1
    local in_progress, job, retry, result = unpack(KEYS, 4 * i + 1, 4 * i + 4)
    local id, value, holder = string.sub(in_progress, id_at), ARGV[values + i], holders[i]
    local held = holder == token or (not holder and untaken(i, retry, try, id))
    if held then
      local stored = true
      if ttl == '0' then
        stored = redis.call('SET', result, value, 'NX')
      elseif ttl ~= '-1' then
        stored = redis.call('SET', result, value, 'NX', 'PX', ttl)
      end
      if not stored then
        local kept = redis.pcall('GET', result)
        fault(i, 4 * i + 4, kept)
        stored = kept == value
      end
      gone[#gone + 1], gone[#gone + 2] = job, retry
      if fence and stored then
        redis.call('SET', in_progress, 'ended', 'PX', fenced_ms)
        ended = ended + 1
      elseif keep == '0' then
        gone[#gone + 1] = in_progress
        if stored then ended = ended + 1 end
      else
        redis.call('SET', in_progress, token, 'PX', keep)
        if stored and redis.pcall('ZREM', queue, id) == 1 then ended = ended + 1 end
      end
      done[#done + 1] = id
      if stored then fresh[i] = id end
      held = stored
      if together == '' then redis.pcall('PUBLISH', result, id) end
    elseif not holder or holder == 'ended' then
      -- Our own call, repeated? Its result shows it; where none is kept, the absence of any holder does.
      if ttl == '-1' then
        held = resent and not redis.pcall('ZSCORE', queue, id)
      else
        held = redis.pcall('GET', result) == value
      end
    end
    if not held then out[#out + 1] = i end
  end
  if ended > 0 then counts[outcome] = (counts[outcome] or 0) + ended end
end
for from = 1, #done, 1000 do
  local last = math.min(from + 999, #done)
  fault(0, 3, redis.pcall('ZREM', queue, unpack(done, from, last)))
  if aborts then fault(0, 1, redis.pcall('ZREM', KEYS[1], unpack(done, from, last))) end
end
if together ~= '' and #done > 0 then redis.pcall('PUBLISH', together, table.concat(done, ' ')) end
for from = 1, #gone, 1000 do
  redis.call('DEL', unpack(gone, from, math.min(from + 999, #gone)))
end
for outcome, count in pairs(counts) do
  fault(0, 4, redis.pcall('HINCRBY', KEYS[4], outcome, count))
end
local letters = values + jobs
for l = 1, #KEYS - 4 - 4 * jobs do
  local at, ttl, payload, name, error, try = unpack(ARGV, letters + 6 * l - 5, letters + 6 * l)
  local id = fresh[tonumber(at)]
  if id then
    local number = 4 + 4 * jobs + l
    local letter = KEYS[number]
    local time = redis.call('TIME')
    local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
    local fields = { 'payload', payload, 'queue', ARGV[2], 'function', name, 'error', error, 'try', try, 'failedAt', now }
    -- The name is ours alone: what stands there instead of a letter must not cost the job its own.
    if fault(tonumber(at), number, redis.pcall('HSET', letter, unpack(fields))) then
      redis.call('DEL', letter)
      redis.call('HSET', letter, unpack(fields))
    end
    redis.call('PEXPIRE', letter, ttl)
    fault(0, 2, redis.pcall('ZADD', KEYS[2], now, id))
  end
end
if #faults > 0 then out[#out + 1] = faults end
return out
