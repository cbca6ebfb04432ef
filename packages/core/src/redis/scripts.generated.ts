// Generated from lua/*.lua by `pnpm generate`; do not edit.

export const luaSources = {
  abort: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
local running = redis.call('EXISTS', KEYS[3]) == 1
if not score and not running then return { 0 } end
if score and not running and tonumber(score) > now then redis.call('ZADD', KEYS[2], 1, ARGV[1]) end
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('PUBLISH', ARGV[2], '1')
redis.call('PUBLISH', ARGV[3], ARGV[1])
return { 1 }`,
  claim: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, lease, keep = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local paused = redis.call('SISMEMBER', KEYS[4], KEYS[1]) == 1
local aborts = ARGV[3] == '1' and redis.call('EXISTS', KEYS[3]) == 1
local out = { now }
local taken = {}
for i = 0, #ARGV - 7 do
  local id = ARGV[i + 7]
  local in_progress, job, retry = KEYS[3 * i + 5], KEYS[3 * i + 6], KEYS[3 * i + 7]
  local score = redis.call('ZSCORE', KEYS[1], id)
  score = score and tonumber(score)
  local claimed, again = false, false
  if score then
    again = redis.call('GET', in_progress) == token
    claimed = again or (score <= now and not paused and redis.call('SET', in_progress, token, 'NX', 'PX', lease) and true or false)
  end
  if claimed then
    if not again then
      redis.call('ZADD', KEYS[1], 'XX', 'INCR', string.format('%.0f', now + lease - score), id)
    end
    local ttl = redis.call('PTTL', job)
    if ttl >= 0 and ttl < lease + 60000 then redis.call('PEXPIRE', job, lease + keep) end
    local try = again and tonumber(redis.call('GET', retry)) or redis.call('INCR', retry)
    redis.call('EXPIRE', retry, ARGV[5])
    local aborted = aborts and redis.call('ZREM', KEYS[3], id) or 0
    local n = #out
    out[n + 1], out[n + 2], out[n + 3], out[n + 4], out[n + 5] = 1, redis.call('GET', job), try, aborted, score
    taken[#taken + 1] = id
  else
    out[#out + 1] = 0
    if score and score <= now and not paused then
      redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[6]), id)
    else
      taken[#taken + 1] = id
    end
  end
end
for from = 1, #taken, 1000 do
  redis.call('ZREM', KEYS[2], unpack(taken, from, math.min(from + 999, #taken)))
end
return out`,
  enqueue: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local resent = ARGV[1] == '1'
local extra = tonumber(ARGV[2])
local earliest = {}
local out = { now }
for i = 0, #KEYS / 3 - 1 do
  local job, result, queue = KEYS[3 * i + 1], KEYS[3 * i + 2], KEYS[3 * i + 3]
  local id, kind, due, expires, payload, channel = unpack(ARGV, 6 * i + 3, 6 * i + 8)
  due = tonumber(due)
  if kind == 'in' then due = now + due end
  local ttl = expires ~= '' and tonumber(expires) or math.max(due - now, 0) + extra
  local queued = 0
  if redis.call('EXISTS', job, result) == 0 then
    -- The queue first: if it is no sorted set, nothing is stored.
    redis.call('ZADD', queue, string.format('%.0f', due), id)
    redis.call('SET', job, payload, 'PX', string.format('%.0f', ttl))
    if not earliest[channel] or due < earliest[channel] then earliest[channel] = due end
    queued = 1
  elseif resent and redis.call('GET', job) == payload then
    queued = 1
  end
  out[i + 2] = queued
end
for channel, due in pairs(earliest) do
  redis.call('PUBLISH', channel, string.format('%.0f', due))
end
return out`,
  finish: `local queue = KEYS[3]
local aborts = redis.call('EXISTS', KEYS[1]) == 1
local counts = {}
local out = {}
local k, a = 5, 2
while a <= #ARGV do
  local in_progress, job, retry, result = unpack(KEYS, k, k + 3)
  local id, token, try, outcome, ttl, keep, value, is_dead = unpack(ARGV, a, a + 7)
  local holder = redis.call('GET', in_progress)
  local held = holder == token
    or (not holder and redis.call('GET', retry) == try and redis.call('ZSCORE', queue, id) and true or false)
  if held then
    if keep == '0' then
      redis.call('DEL', in_progress, job, retry)
    else
      redis.call('SET', in_progress, token, 'PX', keep)
      redis.call('DEL', job, retry)
    end
    if ttl == '0' then
      redis.call('SET', result, value)
    elseif ttl ~= '-1' then
      redis.call('SET', result, value, 'PX', ttl)
    end
    redis.call('ZREM', queue, id)
    counts[outcome] = (counts[outcome] or 0) + 1
    if aborts then redis.call('ZREM', KEYS[1], id) end
    redis.call('PUBLISH', result, id)
    if is_dead == '1' then
      local time = redis.call('TIME')
      local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
      local dead_ttl, payload, name, error = unpack(ARGV, a + 8, a + 11)
      redis.call('ZADD', KEYS[2], now, id)
      redis.call('HSET', KEYS[k + 4], 'payload', payload, 'queue', ARGV[1], 'function', name, 'error', error,
        'try', try, 'failedAt', now)
      redis.call('PEXPIRE', KEYS[k + 4], dead_ttl)
    end
  elseif not holder and ttl ~= '-1' then
    held = redis.call('GET', result) == value
  end
  out[#out + 1] = held and 1 or 0
  k = k + (is_dead == '1' and 5 or 4)
  a = a + (is_dead == '1' and 12 or 8)
end
for outcome, count in pairs(counts) do
  redis.call('HINCRBY', KEYS[4], outcome, count)
end
return out`,
  free: `local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local out = {}
for i = 1, #KEYS - 1 do
  local id, seen = ARGV[2 * i], ARGV[2 * i + 1]
  out[i] = 0
  if redis.call('GET', KEYS[i + 1]) == seen then
    redis.call('DEL', KEYS[i + 1])
    if redis.call('ZSCORE', KEYS[1], id) then redis.call('ZADD', KEYS[1], now, id) end
    out[i] = 1
  end
end
redis.call('PUBLISH', ARGV[1], now)
return out`,
  remove: `local out = {}
for i = 1, #ARGV - 2 do
  local id = ARGV[i + 2]
  local in_progress, job, retry, result, letter, trace = unpack(KEYS, 6 * i - 1, 6 * i + 4)
  if ARGV[1] ~= '1' and redis.call('EXISTS', in_progress) == 1 and redis.call('ZSCORE', KEYS[1], id) then
    out[i] = 2
  else
    local removed = redis.call('ZREM', KEYS[1], id)
    redis.call('ZREM', KEYS[2], id)
    redis.call('ZREM', KEYS[3], id)
    removed = removed + redis.call('DEL', job)
    redis.call('DEL', in_progress, retry, trace)
    if ARGV[2] == '1' then
      removed = removed + redis.call('DEL', result, letter) + redis.call('ZREM', KEYS[4], id)
    end
    out[i] = removed > 0 and 1 or 0
  end
end
return out`,
  renew: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local out = { now }
for i = 0, #KEYS / 4 - 1 do
  local queue, in_progress, retry, job = unpack(KEYS, 4 * i + 1, 4 * i + 4)
  local id, token, try, lease = unpack(ARGV, 4 * i + 2, 4 * i + 5)
  local holder = redis.call('GET', in_progress)
  local score = redis.call('ZSCORE', queue, id)
  local held = holder == token or (not holder and score and redis.call('GET', retry) == try)
  if held then
    redis.call('SET', in_progress, token, 'PX', lease)
    if score then redis.call('ZADD', queue, 'XX', 'INCR', string.format('%.0f', now + lease - score), id) end
    local ttl = redis.call('PTTL', job)
    if ttl >= 0 and ttl < lease + 60000 then redis.call('PEXPIRE', job, lease + ARGV[1]) end
  end
  out[i + 2] = held and 1 or 0
end
return out`,
  replay: `if redis.call('EXISTS', KEYS[3], KEYS[7]) > 0 then return { 0 } end
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
redis.call('DEL', KEYS[2], KEYS[4], KEYS[5])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('SET', KEYS[3], ARGV[4], 'PX', string.format('%.0f', ARGV[2] + ARGV[3]))
redis.call('ZADD', KEYS[6], string.format('%.0f', due), ARGV[1])
redis.call('PUBLISH', ARGV[5], string.format('%.0f', due))
return { 1 }`,
  reschedule: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local earliest = {}
local out = {}
for i = 0, #KEYS / 4 - 1 do
  local queue, in_progress, job, retry = unpack(KEYS, 4 * i + 1, 4 * i + 4)
  local id, token, try, kind, due, uncount, payload, channel = unpack(ARGV, 8 * i + 2, 8 * i + 9)
  local holder = redis.call('GET', in_progress)
  local held = holder == token
    or (not holder and redis.call('GET', retry) == try and redis.call('ZSCORE', queue, id) and true or false)
  if held then
    due = tonumber(due)
    if kind == 'in' then due = now + due end
    local keep = math.max(due - now, 0) + ARGV[1]
    local ttl = redis.call('PTTL', job)
    if ttl == -2 then
      redis.call('SET', job, payload, 'PX', string.format('%.0f', keep))
    elseif ttl >= 0 and ttl < keep then
      redis.call('PEXPIRE', job, string.format('%.0f', keep))
    end
    redis.call('ZADD', queue, string.format('%.0f', due), id)
    redis.call('DEL', in_progress)
    if uncount == '1' and redis.call('DECR', retry) <= 0 then redis.call('DEL', retry) end
    if not earliest[channel] or due < earliest[channel] then earliest[channel] = due end
  end
  out[i + 1] = held and 1 or 0
end
for channel, due in pairs(earliest) do
  redis.call('PUBLISH', channel, string.format('%.0f', due))
end
return out`,
  reserve: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('SISMEMBER', KEYS[3], KEYS[1]) == 1 then return { now, -1 } end
local want = tonumber(ARGV[1])
local passed = {}
for i = 3, #ARGV do passed[ARGV[i]] = true end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local reserved = redis.call('ZCARD', KEYS[2])
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, want + reserved + #ARGV - 2)
local out = { now, -1 }
local entries = {}
local until_ms = string.format('%.0f', now + ARGV[2])
for _, id in ipairs(due) do
  if #out - 2 == want then break end
  if not passed[id] and (reserved == 0 or not redis.call('ZSCORE', KEYS[2], id)) then
    out[#out + 1] = id
    entries[#entries + 1] = until_ms
    entries[#entries + 1] = id
  end
end
for from = 1, #entries, 1000 do
  redis.call('ZADD', KEYS[2], unpack(entries, from, math.min(from + 999, #entries)))
end
if #out - 2 < want then
  local later = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if later[2] then out[2] = tonumber(later[2]) end
end
return out`,
} as const

export const luaShas = {
  abort: 'b7644eab2ac4f206520503163862ff7554114010',
  claim: 'f806fb620dba4c35922ca5a0815e0bb48da8a19e',
  enqueue: '9aa6899b25dc30336bd304e28ccd4cd3c9584d24',
  finish: '9b355bc1f13318f6f843113242293b3f959a79b4',
  free: '014b4c511b7964f8d50c242f96b732a0bb7e7e2e',
  remove: '80b9d6493daa1da002c261cbee50bb81951006b6',
  renew: 'aafd44134a2d198ef5c18daaf34d80b71c16d285',
  replay: '20756ee16ed52f58a60377f88a6f8f9e2662002a',
  reschedule: 'e32962261859af3e0fe0e2ae80c9ef19d6fea429',
  reserve: '2c61135e2f34b7a6d84931fbb2f4cfb3e8c9c801',
} as const
