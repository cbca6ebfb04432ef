-- Gives places of one limit back, and offers free ones to the jobs that wait, the first first: each becomes due, and has
-- its place kept for a while. The call names the jobs it takes for the first; the answer names those that are next.
-- A job waits only as long as its hold lasts: its score is still the one that arq:held has. One that was removed, aborted
-- or moved meanwhile leaves the set.
-- It becomes due at the time it was due before the hold, so that it stands before what came later.
-- Where a rate decides, offers are made up to a horizon, each due at its own time, and one beyond it, so that no time of
-- the rate passes unused. Where a limit was changed, offers that are not due yet are made anew.
-- The limit is looked at again at the time in arq:limit-watch: when a lease or an offer ends that nobody gave back.
-- Nothing stays of a limit that nobody waits for but its places and, until it is past, its time.
--
-- KEYS[1] -> arq:limit-running:<id>, KEYS[2] -> arq:limit-offered:<id>, KEYS[3] -> arq:limit-waiting:<id>,
-- KEYS[4] -> arq:limit-state:<id>, KEYS[5] -> arq:held, KEYS[6] -> arq:limits, KEYS[7] -> arq:limit-watch
-- then for each job to offer a place: queue, arq:job:<id>
-- ARGV[1] -> limit id, ARGV[2] -> name, ARGV[3] -> ms that an offer lasts, ARGV[4] -> lifetime in ms that a payload is left
--   with, ARGV[5] -> horizon in ms, ARGV[6] -> most to answer with, ARGV[7] -> '1' to make offers anew,
--   ARGV[8] -> number of places given back, then these; then the number of jobs that wait no more, then for each: member, id
-- then for each job to offer a place: member, id, wake channel
-- Output: members of the jobs that are next
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local running, offered, waiting, state = unpack(KEYS, 1, 4)
local limit, name = ARGV[1], ARGV[2]
local offer_ms, horizon = tonumber(ARGV[3]), tonumber(ARGV[5])
local at = 8
for _ = 1, tonumber(ARGV[at]) do
  at = at + 1
  redis.call('ZREM', running, ARGV[at])
end
at = at + 1
for _ = 1, tonumber(ARGV[at]) do
  redis.call('ZREM', waiting, ARGV[at + 1])
  redis.call('ZREM', offered, ARGV[at + 1])
  redis.call('HDEL', KEYS[5], ARGV[at + 2])
  at = at + 2
end
redis.call('ZREMRANGEBYSCORE', running, '-inf', now)
redis.call('ZREMRANGEBYSCORE', offered, '-inf', now)

-- A finite number, or nil: Redis may hold any value.
local function number(text)
  local n = text and tonumber(text)
  return n and math.abs(n) < 9e15 and n or nil
end

-- As in limit-admit.lua.
local set = redis.call('HMGET', KEYS[6], name, limit)
local most, rate, per, burst
for _, text in ipairs({ redis.call('HGET', state, 'declared') or '', set[1] or '', set[2] or '' }) do
  local c, n, p, b = string.match(text, '^([^|]*)|([^|]*)|([^|]*)|([^|]*)$')
  if c == '-' or number(c) then most = number(c) end
  if n == '-' then
    rate = nil
  elseif (number(n) or 0) > 0 and (number(p) or 0) > 0 and (number(b) or 0) > 0 then
    rate, per, burst = number(n), number(p), number(b)
  end
end
local tat = math.max(number(redis.call('HGET', state, 'tat')) or 0, now)
if rate and tat > now + burst * per / rate + 60000 then tat = now end
local offers = redis.call('ZCARD', offered)
local function free()
  return most and most - redis.call('ZCARD', running) - offers or math.huge
end
-- When the n-th job from now on may start.
local function start_of(n)
  return rate and tat + (n - burst) * per / rate or 0
end
local function is_near(n)
  return not rate or n == 1 or start_of(n) <= now + horizon
end

for k = 8, #KEYS, 2 do
  local queue, job = KEYS[k], KEYS[k + 1]
  local member, id, channel = unpack(ARGV, at + 1, at + 3)
  at = at + 3
  local score = redis.call('ZSCORE', queue, id)
  local until_ms = ARGV[7] == '1' and redis.call('ZSCORE', offered, member)
  local turn = redis.call('ZSCORE', waiting, member)
  local moves, since = false, math.floor(now)
  if until_ms then
    moves = score and math.floor(tonumber(score)) == tonumber(until_ms) - offer_ms and tonumber(score) > now
    if moves then
      redis.call('ZREM', offered, member)
      offers = offers - 1
    end
  elseif turn and free() >= 1 and is_near(offers + 1) then
    local about = redis.call('HGET', KEYS[5], id)
    local mark, first = string.match(about or '', '^(%d+) %d+ (%d+)')
    mark = tonumber(mark)
    since = math.min(tonumber(first) or since, since)
    moves = score and mark and math.floor(tonumber(score)) == mark
    redis.call('ZREM', waiting, member)
    if moves or not score then redis.call('HDEL', KEYS[5], id) end
    if moves then redis.call('HSET', state, 'served', turn) end
  end
  if moves then
    offers = offers + 1
    local due = math.ceil(start_of(offers))
    local score_at = due > now and due or since
    due = math.max(due, math.floor(now))
    redis.call('ZADD', queue, 'XX', string.format('%.7f', score_at + tonumber(score) % 1), id)
    redis.call('ZADD', offered, string.format('%.0f', due + offer_ms), member)
    local keep = string.format('%.0f', due - now + tonumber(ARGV[4]))
    if redis.call('PTTL', job) >= 0 then redis.call('PEXPIRE', job, keep) end
    if redis.call('PTTL', offered) < due + offer_ms - now then
      redis.call('PEXPIRE', offered, string.format('%.0f', math.ceil(due + offer_ms - now)))
    end
    redis.pcall('PUBLISH', channel, string.format('%.0f', due) .. (due <= now and ' ' .. id or ''))
  end
end

local waits = redis.call('ZCARD', waiting)
if waits == 0 then
  redis.call('ZREM', KEYS[7], limit)
  redis.call('DEL', state)
  if tat > now then
    redis.call('HSET', state, 'tat', string.format('%.3f', tat))
    redis.call('PEXPIRE', state, string.format('%.0f', math.ceil(tat - now)))
  end
  return {}
end
local want = math.min(free(), tonumber(ARGV[6]), waits)
local nexts = 0
while nexts < want and is_near(offers + nexts + 1) do nexts = nexts + 1 end
local again = now + 60000
if nexts > 0 then
  again = now + 1000
else
  for _, set in ipairs({ running, offered }) do
    local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
    if first[2] then again = math.min(again, tonumber(first[2]) + 1) end
  end
  if rate and free() >= 1 then again = math.min(again, start_of(offers + 1) - horizon) end
end
redis.call('ZADD', KEYS[7], string.format('%.0f', math.max(again, now + 20)), limit)
if nexts == 0 then return {} end
return redis.call('ZRANGE', waiting, 0, nexts - 1)
