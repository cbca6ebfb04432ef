-- Gives places of one limit back, and offers free ones to the jobs that wait, the first first: each becomes due, and has
-- its place kept for a while. The call names the jobs it takes for the first; the answer names those that are next.
-- A job waits only as long as its hold lasts: its score is still the one that arq:held has. One that was removed, aborted
-- or moved meanwhile leaves the set.
-- It becomes due at the time it was due before the hold, so that it stands before what came later.
-- Where a rate decides, offers are made up to a horizon, each due at its own time, and one beyond it, so that no time of
-- the rate passes unused. A queue that is behind would serve these only after all that is due: there an offer is made when
-- its time has come, at the head, and the answer says when to call again. Offers that were made before it fell behind go to the
-- head once they are due and late. Where a limit was changed, offers that are not due yet are made anew.
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
-- Output: number of offers made, ms until a call can make the first that had to wait or '', members of the jobs that are next
--   and of those whose offer is late
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

-- The score of the first job of a queue that was due before this call moved any, or false.
local heads = {}
local function head_of(queue)
  if heads[queue] == nil then
    local first = number(redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')[2])
    heads[queue] = first and first <= now and first or false
  end
  return heads[queue]
end

local made, later = 0, nil
for k = 8, #KEYS, 2 do
  local queue, job = KEYS[k], KEYS[k + 1]
  local member, id, channel = unpack(ARGV, at + 1, at + 3)
  at = at + 3
  local score = redis.call('ZSCORE', queue, id)
  local until_ms = number(redis.call('ZSCORE', offered, member))
  local turn = redis.call('ZSCORE', waiting, member)
  local moves, since = false, math.floor(now)
  local may_start = turn and not later and free() >= 1 and is_near(offers + 1)
  local stands = until_ms and score and math.floor(tonumber(score)) == until_ms - offer_ms
  if stands and tonumber(score) <= now then
    local head = head_of(queue)
    if head and head < tonumber(score) then
      redis.call('ZADD', queue, 'XX', string.format('%.7f', math.max(1, math.floor(head) - 1) + tonumber(score) % 1), id)
      redis.pcall('PUBLISH', channel, string.format('%.0f', now) .. ' ' .. id)
    end
  elseif stands and ARGV[7] == '1' then
    moves = true
    redis.call('ZREM', offered, member)
    offers = offers - 1
  elseif may_start and start_of(offers + 1) > now and head_of(queue) then
    later = start_of(offers + 1)
  elseif may_start then
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
    made, offers = made + 1, offers + 1
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
  return { made, '' }
end
local want = later and 0 or math.min(free(), tonumber(ARGV[6]), waits)
local nexts = 0
while nexts < want and is_near(offers + nexts + 1) do nexts = nexts + 1 end
local again = now + 60000
if nexts > 0 then
  again = now + 1000
elseif later then
  -- A call at that time may come from a worker that is gone by then.
  again = later > now + horizon and later - horizon or later + 1000
else
  for _, set in ipairs({ running, offered }) do
    local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
    if first[2] then again = math.min(again, tonumber(first[2]) + 1) end
  end
  -- An offer that is late by then; those that are late now are named by this answer.
  local late_at = now - 200 + offer_ms
  local ahead = rate and redis.call('ZRANGEBYSCORE', offered, '(' .. string.format('%.3f', late_at), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if ahead and ahead[2] then again = math.min(again, tonumber(ahead[2]) - offer_ms + 200) end
  if rate and free() >= 1 then again = math.min(again, start_of(offers + 1) - horizon) end
end
redis.call('ZADD', KEYS[7], string.format('%.0f', math.max(again, now + 20)), limit)
local out = { made, later and string.format('%.0f', math.ceil(later - now)) or '' }
if nexts > 0 then
  for i, member in ipairs(redis.call('ZRANGE', waiting, 0, nexts - 1)) do out[i + 2] = member end
end
if rate then
  local late = string.format('%.0f', now - 10 + offer_ms)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', offered, '-inf', late, 'LIMIT', 0, 20)) do out[#out + 1] = member end
end
return out
