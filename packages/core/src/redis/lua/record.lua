-- Adds what a worker recorded since its last call: numbers are merged, so that workers write into the same fields.
-- Counts once: each call of a worker has a number, and one that is not above the last is a repetition whose reply was
-- lost. The number is stored first: a call that is cut short is not added twice.
-- A key of another type is reported, and costs what it would hold.
--
-- KEYS[1] -> arq:obs:flush:<worker>: number of its last call, KEYS[2..] -> what the operations name by number
-- ARGV[1] -> number of the call, ARGV[2] -> ms for which that is kept, then operations, each with its arguments:
--   merge, v (sums and maxima) or h (histogram), value, how many places, then for each: key, field
--   expire, key, ms
--   hset, key, field, value
--   set, key, value, TTL in ms
--   append, key of a stream, its length at most, '=' or '~' (exactly or about), value: added as the field j
--   try, key of a list, key of the list of jobs, jobs at most, entries at most, TTL in ms, id of the job, value
--   tick, key of a hash, key of the hash of cron jobs, ticks at most, cron jobs at most, TTL in ms, name, unix ms of the tick,
--     value, 1 where it ran: a tick that ran is stored in place of one that a worker left out
--   hold, key, token, ms: keeps a lease for that long; where it has another holder, nothing that follows is done
--   mark, key of a set, ms for which it is kept, how many members, members; where that fails, nothing that follows is done
--   error, key of a hash, key of the hash of fingerprints, fingerprints at most, TTL in ms, fingerprint, now in unix ms,
--     count, then 7 values: type, message, sample, stack, function, queue, id of the job
-- Output: two lists: faults, two values each: number of the key, reason; and what was pushed out, two values each: try or
--   error, and the id or the fingerprint; then, where a lease has another holder, 1
local faults, pushed_out = {}, {}
local function fault(key, reply)
  if type(reply) == 'table' and reply.err then
    faults[#faults + 1], faults[#faults + 2] = key, reply.err
    return true
  end
end
local number, last = tonumber(ARGV[1]), redis.pcall('GET', KEYS[1])
if type(last) == 'string' and (tonumber(last) or 0) >= number then return { {}, {} } end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])

local MOST_BYTES, MOST_BUCKET = 48, 256
local floor, byte, char = math.floor, string.byte, string.char

local function read(bytes, at)
  local values, value, unit = {}, 0, 1
  for i = at, #bytes do
    local b = byte(bytes, i)
    if b >= 128 then
      value, unit = value + (b - 128) * unit, unit * 128
    else
      values[#values + 1], value, unit = value + b * unit, 0, 1
    end
  end
  return values
end

local function write(out, value)
  while value >= 128 do
    out[#out + 1] = value % 128 + 128
    value = floor(value / 128)
  end
  out[#out + 1] = value
end

local function merge_measures(a, b)
  local sums = byte(b, 1)
  if byte(a, 1) ~= sums then return b end
  local mine, other, out = read(a, 2), read(b, 2), { sums }
  for i = 1, math.max(#mine, #other) do
    local x, y = mine[i] or 0, other[i] or 0
    write(out, i <= sums and x + y or math.max(x, y))
  end
  return char(unpack(out))
end

local function coarser(h)
  local from, counts = floor(h.offset / 2), {}
  for i = 1, #h.counts do
    local at = floor((h.offset + i - 1) / 2) - from + 1
    counts[at] = (counts[at] or 0) + h.counts[i]
  end
  h.scale, h.offset, h.counts = h.scale - 1, from, counts
end

local function histogram(bytes)
  if #bytes < 3 or #bytes > MOST_BYTES then return nil end
  local values = read(bytes, 2)
  local offset = values[2] or 0
  if offset >= MOST_BUCKET or byte(bytes, 1) > 11 then return nil end
  local counts = {}
  for i = 3, #values do counts[i - 2] = values[i] end
  return { scale = byte(bytes, 1), zeros = values[1] or 0, offset = offset, counts = counts }
end

local function merge_histograms(a, b)
  local x, y = histogram(a), histogram(b)
  if not x or not y then return b end
  while x.scale > y.scale do coarser(x) end
  while y.scale > x.scale do coarser(y) end
  y.zeros = x.zeros + y.zeros
  if #x.counts > 0 and #y.counts == 0 then
    y.offset, y.counts = x.offset, x.counts
  elseif #x.counts > 0 then
    local from = math.min(x.offset, y.offset)
    local last = math.max(x.offset + #x.counts, y.offset + #y.counts) - 1
    local counts = {}
    for i = from, last do
      counts[i - from + 1] = (x.counts[i - x.offset + 1] or 0) + (y.counts[i - y.offset + 1] or 0)
    end
    y.offset, y.counts = from, counts
  end
  while true do
    local out = { y.scale }
    write(out, y.zeros)
    write(out, y.offset)
    for i = 1, #y.counts do write(out, y.counts[i]) end
    if #out <= MOST_BYTES then return char(unpack(out)) end
    coarser(y)
  end
end

local at = 3
local function take()
  at = at + 1
  return ARGV[at - 1]
end
local operations = {
  merge = function()
    local merged = take() == 'h' and merge_histograms or merge_measures
    local value = take()
    for _ = 1, tonumber(take()) do
      local key, field = tonumber(take()), take()
      local stored = redis.pcall('HGET', KEYS[key], field)
      if not fault(key, stored) then
        redis.call('HSET', KEYS[key], field, stored and stored ~= '' and merged(stored, value) or value)
      end
    end
  end,
  expire = function()
    local key = tonumber(take())
    redis.call('PEXPIRE', KEYS[key], take())
  end,
  hset = function()
    local key, field, value = tonumber(take()), take(), take()
    fault(key, redis.pcall('HSET', KEYS[key], field, value))
  end,
}
operations.set = function()
  local key, value = tonumber(take()), take()
  redis.call('SET', KEYS[key], value, 'PX', take())
end
operations.append = function()
  local key, most, how, value = tonumber(take()), take(), take(), take()
  fault(key, redis.pcall('XADD', KEYS[key], 'MAXLEN', how, most, '*', 'j', value))
end
operations['try'] = function()
  local key, index, jobs, entries, ttl, id, value = tonumber(take()), tonumber(take()), take(), take(), take(), take(), take()
  local length = redis.pcall('RPUSH', KEYS[key], value)
  if fault(key, length) then return end
  redis.call('LTRIM', KEYS[key], -entries, -1)
  redis.call('PEXPIRE', KEYS[key], ttl)
  if length > 1 then return end
  local known = redis.pcall('LPUSH', KEYS[index], id)
  redis.pcall('PEXPIRE', KEYS[index], ttl)
  if fault(index, known) or known <= tonumber(jobs) then return end
  pushed_out[#pushed_out + 1], pushed_out[#pushed_out + 2] = 'try', redis.call('RPOP', KEYS[index])
end
operations.error = function()
  local key, index, most, ttl, print = tonumber(take()), tonumber(take()), tonumber(take()), take(), take()
  local now, count, type_, message, sample, stack = take(), take(), take(), take(), take(), take()
  local name, queue, job = take(), take(), take()
  local hash = KEYS[key]
  local isNew = redis.pcall('HSETNX', hash, 'firstMs', now)
  if fault(key, isNew) then return end
  if isNew == 1 then redis.call('HSET', hash, 'state', 'open', 'type', type_, 'message', message, 'stack', stack) end
  if redis.call('HGET', hash, 'state') == 'resolved' then redis.call('HSET', hash, 'state', 'open') end
  redis.call('HSET', hash, 'lastMs', now, 'sample', sample, 'jobId', job)
  fault(key, redis.pcall('HINCRBY', hash, 'count', count))
  if redis.call('HLEN', hash) < 64 then redis.call('HSET', hash, 'f:' .. name, 1, 'q:' .. queue, 1) end
  redis.call('PEXPIRE', hash, ttl)
  if fault(index, redis.pcall('HSET', KEYS[index], print, now)) then return end
  redis.call('PEXPIRE', KEYS[index], ttl)
  if redis.call('HLEN', KEYS[index]) <= most then return end
  local all, oldest, at = redis.call('HGETALL', KEYS[index]), math.huge, nil
  for i = 1, #all, 2 do
    local seen = tonumber(all[i + 1]) or 0
    if seen < oldest then oldest, at = seen, all[i] end
  end
  redis.call('HDEL', KEYS[index], at)
  pushed_out[#pushed_out + 1], pushed_out[#pushed_out + 2] = 'error', at
end
operations.tick = function()
  local key, index, most, names = tonumber(take()), tonumber(take()), tonumber(take()), tonumber(take())
  local ttl, name, tick, value, ran = take(), take(), take(), take(), take() == '1'
  local isNew = redis.pcall('HEXISTS', KEYS[index], name)
  if fault(index, isNew) then return end
  if isNew == 0 and redis.call('HLEN', KEYS[index]) >= names then
    -- Cron jobs whose ticks have expired make room: the hash itself lives on while any job ticks.
    local known, oldest = redis.call('HGETALL', KEYS[index]), tonumber(tick) - ttl
    for i = 1, #known, 2 do
      if (tonumber(known[i + 1]) or 0) < oldest then redis.call('HDEL', KEYS[index], known[i]) end
    end
    if redis.call('HLEN', KEYS[index]) >= names then return end
  end
  if fault(key, redis.pcall(ran and 'HSET' or 'HSETNX', KEYS[key], tick, value)) then return end
  redis.call('PEXPIRE', KEYS[key], ttl)
  redis.call('HSET', KEYS[index], name, tick)
  redis.call('PEXPIRE', KEYS[index], ttl)
  local ticks = redis.call('HKEYS', KEYS[key])
  if #ticks <= most then return end
  table.sort(ticks, function(a, b) return (tonumber(a) or 0) < (tonumber(b) or 0) end)
  redis.call('HDEL', KEYS[key], unpack(ticks, 1, #ticks - most))
end
local lost = false
operations.hold = function()
  local key, token, ms = tonumber(take()), take(), take()
  if redis.pcall('GET', KEYS[key]) ~= token then
    lost = true
    return true
  end
  redis.call('PEXPIRE', KEYS[key], ms)
end
operations.mark = function()
  local key, ms, members = tonumber(take()), take(), {}
  for i = 1, tonumber(take()) do members[i] = take() end
  if fault(key, redis.pcall('SADD', KEYS[key], unpack(members))) then return true end
  redis.call('PEXPIRE', KEYS[key], ms)
end
while at <= #ARGV do
  if operations[take()]() then break end
end
if lost then return { faults, pushed_out, 1 } end
return { faults, pushed_out }
