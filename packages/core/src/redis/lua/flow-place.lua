-- Does what is to be done about members of a flow: puts them into their queues to be held, hands them out, or passes
-- them over. Only what arq:flow-todo has as it was read is done, so each of several that do the same does it once, and
-- nobody by a decision from before a replay. A member is in there to run only while all before it have ended.
-- A held member stays in its queue with a far score, as under a limit: arq:held says why. One that left its queue while
-- it was held, removed or aborted, counts as handed out: its end is found like any other.
-- One that is passed over is handed out without a job, with a note of how it ended, for flow-end.lua.
--
-- KEYS[1] -> arq:flow:<id>, KEYS[2] -> arq:flow-out:<id>, KEYS[3] -> arq:flow-todo:<id>, KEYS[4] -> arq:held, KEYS[5] -> arq:dead
-- then for each member: queue, arq:job:<job id>, arq:in-progress:<job id>, arq:retry:<job id>, arq:result:<job id>, arq:dead:<job id>
-- ARGV[1] -> length of a hold in ms, ARGV[2] -> lifetime in ms that a payload is left with at least
-- then for each member: its key, its job's id, the task as it was read, hold, run, or the outcome of one that is passed over; payload, ms until it is
--   due, wake channel, reason of the hold
-- Output: for each member 1 (done), 0 (left), 2 (handed out, without a job), or 3 (left: its queue is no sorted set)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local flow, out, todo, held, dead = unpack(KEYS, 1, 5)
local hold_ms, extra = tonumber(ARGV[1]), tonumber(ARGV[2])
local is_running = redis.call('HGET', flow, 'state') == 'running'
local reply, news = {}, {}
for m = 0, (#KEYS - 5) / 6 - 1 do
  local queue, job, in_progress, retry, result, letter = unpack(KEYS, 6 * m + 6, 6 * m + 11)
  local key, id, task, action, payload, delay, channel, about = unpack(ARGV, 8 * m + 3, 8 * m + 10)
  reply[m + 1] = 0
  if is_running and redis.call('HGET', todo, key) == task then
    local is_new = string.sub(task, 1, 4) ~= 'free'
    local score = redis.pcall('ZSCORE', queue, id)
    local is_faulty = type(score) == 'table'
    if is_new and not is_faulty then
      -- Left by a run before a replay.
      redis.call('DEL', retry, result, letter)
      redis.pcall('ZREM', dead, id)
    end
    -- Somebody made it due: it is held again, or has ended, by the next call. The fence of its run before a replay is no claim.
    local holder = not is_new and score and redis.pcall('GET', in_progress)
    local is_claimed = holder and holder ~= 'ended'
    local gone = not is_new and not score
    if is_faulty then
      reply[m + 1] = 3
    elseif is_claimed then
      reply[m + 1] = 0
    elseif action == 'hold' then
      local till = now + hold_ms
      redis.call('ZADD', queue, string.format('%.0f', till), id)
      redis.call('SET', job, payload, 'PX', string.format('%.0f', hold_ms + extra))
      redis.pcall('HSET', held, id, string.format('%.0f %.0f %.0f flow %s', till, now, now, about))
      reply[m + 1] = 1
    elseif gone then
      redis.call('SADD', out, key)
      reply[m + 1] = 2
    elseif action == 'run' then
      local due = now + tonumber(delay)
      redis.call('ZADD', queue, string.format('%.0f', due), id)
      redis.call('SET', job, payload, 'PX', string.format('%.0f', due - now + extra))
      redis.pcall('HDEL', held, id)
      redis.call('SADD', out, key)
      reply[m + 1] = 1
      local known = news[channel]
      news[channel] = known and { math.min(known[1], due), '' } or { due, due <= now and ' ' .. id or '' }
    else
      redis.call('ZREM', queue, id)
      redis.call('DEL', job)
      redis.pcall('HDEL', held, id)
      redis.call('HSET', flow, 'n:' .. key, action)
      redis.call('SADD', out, key)
      reply[m + 1] = 2
    end
    if reply[m + 1] ~= 0 and not is_faulty then redis.call('HDEL', todo, key) end
  end
end
for channel, new in pairs(news) do
  redis.pcall('PUBLISH', channel, string.format('%.0f', new[1]) .. new[2])
end
return reply
