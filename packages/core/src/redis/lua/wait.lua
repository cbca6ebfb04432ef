-- Takes the jobs that hand-off.lua held for a worker, and lets the worker wait for others.
-- A job is taken as claim.lua takes it: the lease, a score with the mark of a lease, the try counted. Fenced: its
-- in-progress key holds the token of the hand-off, or has lapsed and nobody has touched the job since, which its score
-- says. Repeating a call whose reply was lost gives the same answer.
-- Nobody enters the list of a paused queue; a pause empties it.
-- Scores move by ZADD INCR, whose event is 'zincr', see claim.lua.
--
-- KEYS[1] -> arq:waiting:<queue>, KEYS[2] -> queue, KEYS[3] -> arq:paused, then for each job: arq:in-progress:<id>, arq:retry:<id>
-- ARGV[1] -> entry of the worker to take out of the list or '', ARGV[2] -> entry to put at its end or '', ARGV[3] ->
--   lifetime of the list in ms, ARGV[4] -> token of the hand-off, ARGV[5] -> lease in ms, ARGV[6] -> TTL of the try counter
--   in s, ARGV[7] -> until when the jobs are held, in unix ms, ARGV[8..] -> their ids
-- Output: now in unix ms, then for each job 1 (taken) or 0 (lost); then, where there are faults, a list of them: number of
--   the job or 0, of the key, reason
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local out, faults = { now }, {}
local function fault(job, key, reply)
  if type(reply) == 'table' and reply.err then
    local n = #faults
    faults[n + 1], faults[n + 2], faults[n + 3] = job, key, reply.err
    return true
  end
end
for i = 1, #ARGV - 7 do
  local in_progress, id = KEYS[2 * i + 2], ARGV[i + 7]
  local holder, score = redis.pcall('GET', in_progress), redis.pcall('ZSCORE', KEYS[2], id)
  local isFaulty = fault(i, 2 * i + 2, holder) or fault(i, 2, score)
  out[i + 1] = 0
  if score and not isFaulty and (holder == ARGV[4] or (not holder and score == ARGV[7])) then
    redis.call('SET', in_progress, ARGV[4], 'PX', ARGV[5])
    redis.call('SET', KEYS[2 * i + 3], '1', 'NX', 'EX', ARGV[6])
    local at, held_until = tonumber(score), now + ARGV[5] + 1 / 128
    if math.abs(at) < 9e15 then
      redis.call('ZADD', KEYS[2], 'XX', 'INCR', string.format('%.7f', held_until - at), id)
    else
      redis.call('ZADD', KEYS[2], 'XX', string.format('%.7f', held_until), id)
    end
    out[i + 1] = 1
  end
end
if ARGV[1] ~= '' then fault(0, 1, redis.pcall('LREM', KEYS[1], 0, ARGV[1])) end
if ARGV[2] ~= '' and redis.pcall('SISMEMBER', KEYS[3], KEYS[2]) == 0 then
  redis.pcall('LREM', KEYS[1], 0, ARGV[2])
  if not fault(0, 1, redis.pcall('RPUSH', KEYS[1], ARGV[2])) and redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
  end
end
if #faults > 0 then out[#out + 1] = faults end
return out
