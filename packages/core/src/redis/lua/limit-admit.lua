-- Decides whether a claimed job may start under all its limits: it takes a place in each of them, or it is held and waits
-- for the first that has none.
-- A place is a member of `running` until its lease ends. A job that waits has none; once one is free, it is offered to
-- the first that waits, see limit-fill.lua: while others wait, only a job with an offer starts.
-- A held job stays in its queue with a far score, its lease is given back, its try does not count, and its payload
-- outlives the hold. The score is the mark of this hold: whoever moves the job ends the hold.
-- Repeating a call whose reply was lost gives the same answer: a place that the token has is taken already.
--
-- KEYS[1] -> queue, KEYS[2] -> arq:in-progress:<id>, KEYS[3] -> arq:job:<id>, KEYS[4] -> arq:retry:<id>,
-- KEYS[5] -> arq:held, KEYS[6] -> arq:limits, KEYS[7] -> arq:limit-watch
-- then for each limit: arq:limit-running:<id>, arq:limit-offered:<id>, arq:limit-waiting:<id>, arq:limit-state:<id>
-- ARGV[1] -> id, ARGV[2] -> token, ARGV[3] -> lease in ms, ARGV[4] -> length of a hold in ms, ARGV[5] -> lifetime in ms that
--   a payload is left with at least, ARGV[6] -> its member in sets of limits, ARGV[7] -> its place among those that wait
-- then for each limit: limit id, name, settings as declared (concurrency|count|per ms|burst), key of its share or '', weight
-- Output: 1 (may start), 0 (held) or -1 (the lease is lost); then the numbers of the limits where others wait
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local id, token, lease, member = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[6]
local place = token .. ' ' .. id
local count = (#KEYS - 7) / 4
local out = { 1 }
if redis.call('GET', KEYS[2]) ~= token then
  -- Held by this very call, come a first time?
  local about = redis.call('HGET', KEYS[5], id)
  local score = about and redis.call('ZSCORE', KEYS[1], id)
  if score and string.match(about, '^%d+') == string.format('%.0f', math.floor(tonumber(score))) then return { 0 } end
  return { -1 }
end

-- A finite number, or nil: Redis may hold any value.
local function number(text)
  local n = text and tonumber(text)
  return n and math.abs(n) < 9e15 and n or nil
end

-- Settings in their order: declared, set for all keys of the limit, set for this one. '-' lifts a bound; a malformed setting
-- changes nothing.
local function settings_of(limit, name, declared)
  local set = redis.call('HMGET', KEYS[6], name, limit)
  local most, rate, per, burst
  for _, text in ipairs({ declared, set[1] or '', set[2] or '' }) do
    local c, n, p, b = string.match(text, '^([^|]*)|([^|]*)|([^|]*)|([^|]*)$')
    if c == '-' or number(c) then most = number(c) end
    if n == '-' then
      rate = nil
    elseif (number(n) or 0) > 0 and (number(p) or 0) > 0 and (number(b) or 0) > 0 then
      rate, per, burst = number(n), number(p), number(b)
    end
  end
  return most, rate, per, burst
end

local refused
local arrivals = {}
for l = 1, count do
  local running, offered, waiting, state = unpack(KEYS, 4 * l + 4, 4 * l + 7)
  local limit, name, declared = unpack(ARGV, 5 * l + 3, 5 * l + 5)
  redis.call('ZREMRANGEBYSCORE', running, '-inf', now)
  redis.call('ZREMRANGEBYSCORE', offered, '-inf', now)
  local has_offer = redis.call('ZSCORE', offered, member)
  local has_place = redis.call('ZSCORE', running, place)
  local most, rate, per, burst = settings_of(limit, name, declared)
  local taken = redis.call('ZCARD', running) + (has_offer and 0 or redis.call('ZCARD', offered))
  local others = redis.call('ZCARD', waiting) - (redis.call('ZSCORE', waiting, member) and 1 or 0)
  local at = 0
  if rate then
    local tat = math.max(number(redis.call('HGET', state, 'tat')) or 0, now)
    -- No start sets it so far ahead: it was written by a clock that was wrong, or under a rate that counts no more.
    if tat > now + burst * per / rate + 60000 then tat = now end
    local arrival = tat + per / rate
    arrivals[l] = has_place and 0 or arrival
    at = arrival - burst * per / rate
  end
  local free = (not most or taken < most) and at <= now + 0.001 and (has_offer or others <= 0)
  if not (free or has_place) and not refused then refused = l end
  if others > 0 then out[#out + 1] = l end
end

if refused then
  -- A key of another type must stop this before it has written anything.
  redis.call('HLEN', KEYS[5])
  redis.call('ZCARD', KEYS[7])
  redis.call('HLEN', KEYS[4 * refused + 7])
end
for l = 1, count do
  local running, offered, waiting, state = unpack(KEYS, 4 * l + 4, 4 * l + 7)
  redis.call('ZREM', offered, member)
  if not refused then
    redis.call('ZREM', waiting, member)
    redis.call('ZADD', running, string.format('%.0f', now + lease), place)
    if redis.call('PTTL', running) < lease + 60000 then redis.call('PEXPIRE', running, lease + 60000) end
    if arrivals[l] and arrivals[l] > 0 then
      redis.call('HSET', state, 'tat', string.format('%.3f', arrivals[l]))
      if redis.call('ZCARD', waiting) == 0 then
        redis.call('PEXPIRE', state, string.format('%.0f', math.ceil(arrivals[l] - now)))
      end
    end
  end
end
if not refused then
  -- A note about an earlier hold, and no more: the job runs without it.
  redis.pcall('HDEL', KEYS[5], id)
  return out
end

local waiting, state = KEYS[4 * refused + 6], KEYS[4 * refused + 7]
local limit, _, declared, share, weight = unpack(ARGV, 5 * refused + 3, 5 * refused + 7)
if not redis.call('ZSCORE', waiting, member) then
  local turn = ARGV[7]
  if share ~= '' then
    -- Fair queueing by start tags: a share that asks for much is served in turn with the others, by its weight. The state
    -- has the turn of each share's last job.
    local served = number(redis.call('HGET', state, 'served')) or 0
    local forgotten = number(redis.call('HGET', state, 'forgotten'))
    local last = number(redis.call('HGET', state, 'share:' .. share)) or forgotten
    local start = math.max(served, last and number(last + 1 / tonumber(weight)) or 0)
    turn = string.format('%.9f', start)
    redis.call('HSET', state, 'share:' .. share, turn)
    -- A limit that always has jobs waiting would keep all shares that ever came. Some whose last turn has come go each time.
    -- A share that is not known counts as the last of them, so that none gains by being forgotten.
    if redis.call('HLEN', state) > 200 then
      local cursor = redis.call('HGET', state, 'cursor') or ''
      if not string.match(cursor, '^%d+$') or #cursor > 19 then cursor = '0' end
      local page = redis.call('HSCAN', state, cursor, 'COUNT', 20)
      for i = 1, #page[2], 2 do
        local field, its = page[2][i], number(page[2][i + 1]) or 0
        if string.sub(field, 1, 6) == 'share:' and its <= served + 1e-6 then
          redis.call('HDEL', state, field)
          forgotten = math.max(forgotten or 0, its)
        end
      end
      redis.call('HSET', state, 'cursor', page[1])
      if forgotten then redis.call('HSET', state, 'forgotten', string.format('%.9f', forgotten)) end
    end
  end
  redis.call('ZADD', waiting, turn, member)
end
redis.call('HSET', state, 'declared', declared)
redis.call('PERSIST', state)
redis.call('ZADD', KEYS[7], 'NX', string.format('%.0f', now + 1000), limit)
local score = redis.call('ZSCORE', KEYS[1], id)
local deaths = number(score) and math.floor(math.floor(number(score) % 1 * 128 + 0.5) / 2) or 0
local held = math.floor(now) + tonumber(ARGV[4])
redis.call('ZADD', KEYS[1], string.format('%.7f', held + deaths / 64), id)
redis.call('HSET', KEYS[5], id, string.format('%.0f %.0f %s limit %s', held, now, ARGV[7], limit))
redis.call('DEL', KEYS[2])
if redis.call('PTTL', KEYS[3]) >= 0 then
  redis.call('PEXPIRE', KEYS[3], string.format('%.0f', tonumber(ARGV[4]) + tonumber(ARGV[5])))
end
local left = redis.pcall('DECR', KEYS[4])
if type(left) == 'number' and left <= 0 then
  redis.call('DEL', KEYS[4])
elseif type(left) == 'number' then
  redis.call('PEXPIRE', KEYS[4], string.format('%.0f', tonumber(ARGV[4]) + tonumber(ARGV[5])))
end
out[1] = 0
local is_named = false
for n = 2, #out do is_named = is_named or out[n] == refused end
if not is_named then out[#out + 1] = refused end
return out
