-- Stores jobs that are due now, under ids that were drawn for them, and hands them to a worker that waits: enqueue.lua for
-- a few jobs of one queue, sent for the first time.
-- A worker waits by one entry in a list, which one call takes out: a worker that stands still gets the jobs of one call at
-- most. Nobody waits on a paused queue. Nothing is handed over while anything else is due, which goes first, nor to a worker
-- whose process is gone.
-- A job that is handed over is held as a claimed one is, for a second, but no try is counted, and its score bears no mark
-- of a lease, see claim.lua. The worker takes it by wait.lua; where it does not, the job is due again, as if nobody had had
-- it. Jobs that are not handed over wake workers by their ids, so that an idle worker need not look for them.
-- An entry: how many jobs the worker would take, bytes of its token, token, channel. The message to the worker: bytes of
-- the token, token, until when the jobs are held, when they were due, how many, id:bytes of each, and their payloads. In
-- both, each part stands behind a space but for payloads after the first; a token may have spaces of its own.
--
-- KEYS[1] -> queue, KEYS[2] -> arq:waiting:<queue>
-- then for each job: arq:job:<id>, arq:in-progress:<id>
-- ARGV[1] -> TTL of the payloads in ms, ARGV[2] -> ms for which a job is held, ARGV[3] -> wake channel
-- then for each job, from ARGV[4] on: id, payload
-- Output: now in unix ms, then 1 for each job; then, where there are faults, a list of them: 0, number of the key, reason
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = string.format('%.0f', now)
local jobs = (#KEYS - 2) / 2
local handed, held_until, token, channel = 0, nil, nil, nil
-- Read, and taken out at the end: a script that has written once is no longer refused where the memory is full.
local waiter = redis.pcall('LINDEX', KEYS[2], 0)
if type(waiter) == 'string' then
  -- Without the permission for it, nothing is handed over.
  local first = redis.pcall('ZRANGEBYSCORE', KEYS[1], '-inf', due, 'LIMIT', 0, 1)
  local free, bytes, rest = string.match(waiter, '^(%d+) (%d+) (.+)$')
  if rest then token, channel = string.sub(rest, 1, bytes), string.sub(rest, bytes + 2) end
  local listeners = channel and not first.err and not first[1] and redis.pcall('PUBSUB', 'NUMSUB', channel)
  if listeners and listeners[2] and tonumber(listeners[2]) > 0 then handed = math.min(tonumber(free), jobs) end
  held_until = string.format('%.0f', now + ARGV[2])
end
local out = { now }
for i = 1, jobs do
  -- The queue first: if it is no sorted set, nothing is stored.
  redis.call('ZADD', KEYS[1], i <= handed and held_until or due, ARGV[2 * i + 2])
  redis.call('SET', KEYS[2 * i + 1], ARGV[2 * i + 3], 'PX', ARGV[1])
  if i <= handed then redis.call('SET', KEYS[2 * i + 2], token, 'PX', ARGV[2]) end
  out[i + 1] = 1
end
local taken_out = type(waiter) == 'string' and redis.pcall('LPOP', KEYS[2])
if handed > 0 then
  local sent = taken_out
  if sent == waiter then
    local message, payloads = { #token, token, held_until, due, handed }, {}
    for i = 1, handed do
      message[i + 5], payloads[i] = ARGV[2 * i + 2] .. ':' .. #ARGV[2 * i + 3], ARGV[2 * i + 3]
    end
    sent = redis.pcall('PUBLISH', channel, table.concat(message, ' ') .. ' ' .. table.concat(payloads))
  end
  if type(sent) == 'table' then
    -- This user may not do that: the jobs are as those that nobody waits for.
    for i = 1, handed do
      redis.call('PEXPIRE', KEYS[2 * i + 2], 0)
      redis.call('ZADD', KEYS[1], due, ARGV[2 * i + 2])
    end
    handed = 0
  end
end
if jobs - handed == 1 then
  redis.pcall('PUBLISH', ARGV[3], due .. ' ' .. ARGV[2 * jobs + 2])
elseif handed < jobs then
  local ids = {}
  for i = handed + 1, jobs do ids[#ids + 1] = ARGV[2 * i + 2] end
  redis.pcall('PUBLISH', ARGV[3], due .. ',' .. table.concat(ids, ','))
end
if type(waiter) == 'table' and string.sub(waiter.err, 1, 9) == 'WRONGTYPE' then out[#out + 1] = { 0, 2, waiter.err } end
return out
