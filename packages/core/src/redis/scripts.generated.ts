// Generated from lua/*.lua by `pnpm generate`; do not edit.

export const luaSources = {
  abort: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
local running = redis.call('EXISTS', KEYS[3]) == 1
if not score and not running then return { 0 } end
if score and not running and tonumber(score) > now then redis.call('ZADD', KEYS[2], 1, ARGV[1]) end
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.pcall('PUBLISH', ARGV[2], '1')
redis.pcall('PUBLISH', ARGV[3], ARGV[1])
return { 1 }`,
  claim: `local time = redis.call('TIME')
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
return out`,
  enqueue: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local resent = ARGV[1] == '1'
local extra = tonumber(ARGV[2])
local ways = {}
for w = 1, tonumber(ARGV[3]) do
  local kind, due, expires, channel = unpack(ARGV, 4 * w, 4 * w + 3)
  due = tonumber(due)
  if kind == 'in' then due = now + due end
  local ttl = expires ~= '' and tonumber(expires) or math.max(due - now, 0) + extra
  ways[w] = { KEYS[w], string.format('%.0f', due), string.format('%.0f', ttl), channel, due, 0 }
end
local key, arg = #ways, 3 + 4 * #ways
local out = { now }
for i = 1, (#ARGV - arg) / 3 do
  local job, result = KEYS[key + 2 * i - 1], KEYS[key + 2 * i]
  local id, way, payload = unpack(ARGV, arg + 3 * i - 2, arg + 3 * i)
  local queued = 0
  if redis.call('EXISTS', job, result) == 0 then
    local to = ways[tonumber(way)]
    -- The queue first: if it is no sorted set, nothing is stored.
    redis.call('ZADD', to[1], to[2], id)
    redis.call('SET', job, payload, 'PX', to[3])
    to[6] = to[6] + 1
    to[7] = id
    queued = 1
  elseif resent and redis.call('GET', job) == payload then
    queued = 1
  end
  out[i + 1] = queued
end
local news = {}
for _, way in ipairs(ways) do
  local channel, due, count, id = way[4], way[5], way[6], way[7]
  local known = news[channel]
  if count > 0 and known then
    news[channel] = { math.min(due, known[1]), '' }
  elseif count > 0 then
    news[channel] = { due, count == 1 and due <= now and ' ' .. id or '' }
  end
end
for channel, new in pairs(news) do
  redis.pcall('PUBLISH', channel, string.format('%.0f', new[1]) .. new[2])
end
return out`,
  finish: `local queue = KEYS[3]
local resent = ARGV[1] == '1'
local aborts = redis.call('EXISTS', KEYS[1]) == 1
local id_at, jobs, ways = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local values = 5 + 6 * ways
local counts, out, holders = {}, {}, {}
local done, gone, fresh = {}, {}, {}
for from = 1, jobs, 1000 do
  local keys = {}
  for i = from, math.min(from + 999, jobs) do keys[#keys + 1] = KEYS[4 * i + 1] end
  for i, holder in ipairs(redis.call('MGET', unpack(keys))) do holders[from + i - 1] = holder end
end
local i = 0
for way = 1, ways do
  local count, token, try, outcome, ttl, keep = unpack(ARGV, 6 * way, 6 * way + 5)
  local ended = 0
  for _ = 1, tonumber(count) do
    i = i + 1
    local in_progress, job, retry, result = unpack(KEYS, 4 * i + 1, 4 * i + 4)
    local id, value, holder = string.sub(in_progress, id_at), ARGV[values + i], holders[i]
    local held = holder == token
      or (not holder and redis.call('GET', retry) == try and redis.call('ZSCORE', queue, id) and true or false)
    if held then
      gone[#gone + 1], gone[#gone + 2] = job, retry
      if keep == '0' then
        gone[#gone + 1] = in_progress
        ended = ended + 1
      else
        redis.call('SET', in_progress, token, 'PX', keep)
        ended = ended + redis.call('ZREM', queue, id)
      end
      if ttl == '0' then
        redis.call('SET', result, value)
      elseif ttl ~= '-1' then
        redis.call('SET', result, value, 'PX', ttl)
      end
      done[#done + 1] = id
      fresh[i] = id
      redis.pcall('PUBLISH', result, id)
    elseif not holder then
      -- Our own call, come a second time? Its result tells; where none is kept, that nobody has the job any more.
      if ttl == '-1' then
        held = resent and not redis.call('ZSCORE', queue, id)
      else
        held = redis.call('GET', result) == value
      end
    end
    if not held then out[#out + 1] = i end
  end
  if ended > 0 then counts[outcome] = (counts[outcome] or 0) + ended end
end
for from = 1, #done, 1000 do
  local last = math.min(from + 999, #done)
  redis.call('ZREM', queue, unpack(done, from, last))
  if aborts then redis.call('ZREM', KEYS[1], unpack(done, from, last)) end
end
for from = 1, #gone, 1000 do
  redis.call('DEL', unpack(gone, from, math.min(from + 999, #gone)))
end
for outcome, count in pairs(counts) do
  redis.call('HINCRBY', KEYS[4], outcome, count)
end
local letters = values + jobs
for l = 1, #KEYS - 4 - 4 * jobs do
  local at, ttl, payload, name, error, try = unpack(ARGV, letters + 6 * l - 5, letters + 6 * l)
  local id = fresh[tonumber(at)]
  if id then
    local letter = KEYS[4 + 4 * jobs + l]
    local time = redis.call('TIME')
    local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
    redis.call('ZADD', KEYS[2], now, id)
    redis.call('HSET', letter, 'payload', payload, 'queue', ARGV[2], 'function', name, 'error', error,
      'try', try, 'failedAt', now)
    redis.call('PEXPIRE', letter, ttl)
  end
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
redis.pcall('PUBLISH', ARGV[1], now)
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
  local id, token, try, lease = unpack(ARGV, 4 * i + 3, 4 * i + 6)
  local holder = redis.call('GET', in_progress)
  local score = redis.call('ZSCORE', queue, id)
  local lapsed = not holder and score and tonumber(score) <= now
  local held = holder == token or (lapsed and redis.call('GET', retry) == try)
  if held then
    redis.call('SET', in_progress, token, 'PX', lease)
    if score then redis.call('ZADD', queue, 'XX', 'INCR', string.format('%.0f', now + lease - score), id) end
    local ttl = redis.call('PTTL', job)
    if ttl >= 0 and ttl < lease + 60000 then redis.call('PEXPIRE', job, lease + ARGV[1]) end
    if redis.call('TTL', retry) < tonumber(ARGV[2]) then redis.call('EXPIRE', retry, ARGV[2]) end
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
redis.pcall('PUBLISH', ARGV[5], string.format('%.0f', due))
return { 1 }`,
  reschedule: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local earliest = {}
local out = {}
for i = 0, #KEYS / 4 - 1 do
  local queue, in_progress, job, retry = unpack(KEYS, 4 * i + 1, 4 * i + 4)
  local id, token, try, kind, due, uncount, payload, channel = unpack(ARGV, 8 * i + 4, 8 * i + 11)
  local holder = redis.call('GET', in_progress)
  local held = holder == token
    or (not holder and redis.call('GET', retry) == try and redis.call('ZSCORE', queue, id) and true or false)
  if held then
    due = tonumber(due)
    if kind == 'in' then due = now + due end
    local keep = math.max(due - now, 0) + ARGV[2]
    local ttl = redis.call('PTTL', job)
    if ttl == -2 then
      redis.call('SET', job, payload, 'PX', string.format('%.0f', keep))
    elseif ttl >= 0 and ttl < keep then
      redis.call('PEXPIRE', job, string.format('%.0f', keep))
    end
    redis.call('ZADD', queue, string.format('%.0f', due), id)
    redis.call('DEL', in_progress)
    if uncount == '1' and redis.call('DECR', retry) <= 0 then
      redis.call('DEL', retry)
    else
      redis.call('EXPIRE', retry, string.format('%.0f', math.max(due - now, 0) / 1000 + ARGV[3]))
    end
    if not earliest[channel] or due < earliest[channel] then earliest[channel] = due end
  elseif ARGV[1] == '1' and uncount == '1' and not holder and redis.call('ZSCORE', queue, id) then
    -- The first call uncounted the try that this one names.
    held = tonumber(redis.call('GET', retry) or 0) == try - 1
  end
  out[i + 1] = held and 1 or 0
end
for channel, due in pairs(earliest) do
  redis.pcall('PUBLISH', channel, string.format('%.0f', due))
end
return out`,
  reserve: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('SISMEMBER', KEYS[3], KEYS[1]) == 1 then return { now, -1 } end
local want = tonumber(ARGV[1])
local passed = {}
for i = 4, #ARGV do passed[ARGV[i]] = true end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local reserved = redis.call('ZCARD', KEYS[2])
local before = reserved + #ARGV - 3

local function find(offset, count)
  local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', offset, count)
  local ids, met = {}, false
  for from = 1, #due, 1000 do
    local last = math.min(from + 999, #due)
    local taken = reserved > 0 and redis.call('ZMSCORE', KEYS[2], unpack(due, from, last)) or {}
    for i = from, last do
      if #ids == want then break end
      if taken[i - from + 1] then
        met = true
      elseif not passed[due[i]] then
        ids[#ids + 1] = due[i]
      end
    end
  end
  return ids, met
end

local ids, met
if ARGV[3] ~= '1' and before > 0 then ids, met = find(before, want) end
if not ids or met or #ids < want then ids = find(0, want + before) end

local out = { now, -1 }
local entries = {}
local until_ms = string.format('%.0f', now + ARGV[2])
for i, id in ipairs(ids) do
  out[i + 2] = id
  entries[2 * i - 1] = until_ms
  entries[2 * i] = id
end
for from = 1, #entries, 1000 do
  redis.call('ZADD', KEYS[2], unpack(entries, from, math.min(from + 999, #entries)))
end
if #ids < want then
  local later = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if later[2] then out[2] = tonumber(later[2]) end
end
return out`,
  tick: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id, due, lifetime = ARGV[1], tonumber(ARGV[2]), ARGV[4]
local recorded = lifetime ~= '0'
local last = recorded and tonumber(redis.pcall('GET', KEYS[5])) or 0
if last > now + ARGV[5] then last = 0 end
local function decided()
  if recorded and due > last then redis.call('SET', KEYS[5], ARGV[2], 'PX', lifetime) end
end
if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 then
  if ARGV[11] == '1' and redis.pcall('GET', KEYS[2]) == ARGV[10] then return 'queued' end
  decided()
  return 'known'
end
if recorded then
  if last >= due or (due <= now and redis.call('EXISTS', KEYS[4]) == 1) then return 'known' end
  if now - due > tonumber(ARGV[3]) then return 'late' end
end
if ARGV[7] == '1' then
  local before = redis.pcall('GET', KEYS[6])
  if type(before) == 'string' and before ~= id and redis.call('ZSCORE', KEYS[1], before) then
    decided()
    return 'overlap'
  end
end
redis.call('ZADD', KEYS[1], ARGV[2], id)
redis.call('SET', KEYS[2], ARGV[10], 'PX', string.format('%.0f', math.max(due - now, 0) + ARGV[6]))
decided()
if ARGV[7] == '1' then redis.call('SET', KEYS[6], id, 'PX', ARGV[8]) end
redis.pcall('PUBLISH', ARGV[9], ARGV[2] .. (due <= now and ' ' .. id or ''))
return 'queued'`,
} as const

export const luaShas = {
  abort: '89db4e7ed2dbf022818e5d4aa168b72c7534dae3',
  claim: '43c0912829846bd295c4ce79fe7242f3b5be72c1',
  enqueue: '07e85aa6b1fdb4c2eb7f621791cc53f03da0efc6',
  finish: '6733f68ca058d4de06c6acde34d8f360cc8743ef',
  free: 'ca0a8bcb33153dc52c66e1ed6a0a91b255540506',
  remove: '80b9d6493daa1da002c261cbee50bb81951006b6',
  renew: 'b100bfca3530bf5ed73728a24b7e7d46b6f294f0',
  replay: '88410e5477eacf81bb68be961d7ef36592abb427',
  reschedule: '0b6046b10e633c84a23bbc553fc55578c3002626',
  reserve: '629dc3741ef3a5d895686c4df9725bce82af2f63',
  tick: '5f267095bcc3f764650f0d8d93b2841aa6091331',
} as const
