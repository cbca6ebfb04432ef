// Generated from lua/*.lua by `pnpm generate`; do not edit. Arguments of each script:
// abort: ARGV[1] ARGV[2] ARGV[3] KEYS[1] KEYS[2] KEYS[3]
// bringForward: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] KEYS[1] KEYS[2]
// claimAborted: ARGV[1] ARGV[2] ARGV[3] ARGV[4] KEYS[1] KEYS[2]
// claimExpired: ARGV[1] ARGV[2] ARGV[3] ARGV[4] KEYS[1] KEYS[2]
// claim: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] ARGV[6] ARGV[7] KEYS[1] KEYS[2] KEYS[3] KEYS[3i+2] KEYS[3i+3] KEYS[3i+4] KEYS[4]
// countHeld: ARGV[1] KEYS[1..]
// cronPause: ARGV[1] ARGV[2] ARGV[3] KEYS[1]
// deadHeaders: ARGV[1..] KEYS[1..]
// deadQueues: KEYS[1..]
// enqueueUnique: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] ARGV[6] ARGV[7] ARGV[8] ARGV[9] ARGV[10] ARGV[11] ARGV[12] ARGV[13] ARGV[14] ARGV[15] ARGV[16] KEYS[1] KEYS[2] KEYS[3] KEYS[4] KEYS[5] KEYS[6] KEYS[7] KEYS[8]
// enqueue: ARGV[1] ARGV[2] ARGV[3] KEYS[1..ways]
// finish: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] ARGV[6] ARGV[7] KEYS[1] KEYS[2] KEYS[3] KEYS[4]
// flowCancel: KEYS[1] KEYS[2] KEYS[3] KEYS[4] KEYS[5]
// flowEnd: ARGV[1] ARGV[2] ARGV[3] KEYS[1] KEYS[2] KEYS[3] KEYS[4] KEYS[5] KEYS[6] KEYS[7] KEYS[8]
// flowNote: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] ARGV[6] ARGV[7] KEYS[1] KEYS[2] KEYS[3] KEYS[4] KEYS[5] KEYS[6] KEYS[7]
// flowPlace: ARGV[1] ARGV[2] KEYS[1] KEYS[2] KEYS[3] KEYS[4] KEYS[5]
// flowReopen: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] KEYS[1] KEYS[2] KEYS[3] KEYS[4] KEYS[5] KEYS[6] KEYS[7]
// flowStart: ARGV[1] ARGV[2] ARGV[3] KEYS[1] KEYS[2] KEYS[3] KEYS[4] KEYS[5] KEYS[6]
// flowTake: ARGV[1] ARGV[2] KEYS[1]
// free: ARGV[1] KEYS[1] KEYS[2..]
// handOff: ARGV[1] ARGV[2] ARGV[3] ARGV[4] KEYS[1] KEYS[2]
// limitAdmit: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] ARGV[6] ARGV[7] KEYS[1] KEYS[2] KEYS[3] KEYS[4] KEYS[5] KEYS[6] KEYS[7]
// limitFill: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] ARGV[6] ARGV[7] ARGV[8] KEYS[1] KEYS[2] KEYS[3] KEYS[4] KEYS[5] KEYS[6] KEYS[7]
// log: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] ARGV[6] ARGV[7] ARGV[8] KEYS[1] KEYS[2]
// move: ARGV[1] ARGV[2] ARGV[3..] KEYS[1] KEYS[2] KEYS[3] KEYS[4..]
// page: ARGV[1] ARGV[2] ARGV[3] KEYS[1] KEYS[2]
// putBack: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] ARGV[6] ARGV[7] ARGV[8] ARGV[9] ARGV[10] ARGV[11] ARGV[12..] KEYS[1] KEYS[2] KEYS[3] KEYS[4] KEYS[5] KEYS[6] KEYS[7]
// recordSeries: ARGV[1] ARGV[2] ARGV[3] KEYS[1]
// record: ARGV[1] ARGV[2] KEYS[1] KEYS[2..]
// remove: ARGV[1] ARGV[2] ARGV[3..] KEYS[1] KEYS[2] KEYS[3] KEYS[4]
// renew: ARGV[1] ARGV[2] ARGV[4i+3..4i+6] KEYS[4i+1] KEYS[4i+2] KEYS[4i+3] KEYS[4i+4]
// replay: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] KEYS[1] KEYS[2] KEYS[3] KEYS[4] KEYS[5] KEYS[6] KEYS[7] KEYS[8]
// reschedule: ARGV[1] ARGV[2] ARGV[3] ARGV[8i+4..8i+11] KEYS[4i+1] KEYS[4i+2] KEYS[4i+3] KEYS[4i+4]
// rescore: ARGV[1] ARGV[2..] KEYS[1] KEYS[2] KEYS[3..]
// reserve: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] ARGV[6] ARGV[7..] KEYS[1] KEYS[2] KEYS[3]
// scheduleTake: ARGV[1] ARGV[2] ARGV[3] KEYS[1]
// scheduleWrite: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] ARGV[6] ARGV[7] ARGV[8] ARGV[9] ARGV[10] ARGV[11] ARGV[12] ARGV[13] ARGV[14] KEYS[1] KEYS[2] KEYS[3] KEYS[4]
// setTry: ARGV[1] ARGV[2] ARGV[3] KEYS[1] KEYS[2]
// sift: ARGV[1] KEYS[3i+1] KEYS[3i+2] KEYS[3i+3]
// takeOut: ARGV[1] ARGV[2..] KEYS[1] KEYS[2] KEYS[3] KEYS[4]
// tick: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] ARGV[6] ARGV[7] ARGV[8] ARGV[9] ARGV[10] ARGV[11] ARGV[12] ARGV[13] KEYS[1] KEYS[2] KEYS[3] KEYS[4] KEYS[5] KEYS[6] KEYS[7]
// types: KEYS[1..]
// wait: ARGV[1] ARGV[2] ARGV[3] ARGV[4] ARGV[5] ARGV[6] ARGV[7] ARGV[8..] KEYS[1] KEYS[2] KEYS[3]

export const luaSources = {
  abort: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
local holder = redis.pcall('GET', KEYS[3])
local running = holder and holder ~= 'ended'
if not score and not running then return { 0 } end
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
if score and not running and tonumber(score) > now then redis.call('ZADD', KEYS[2], 1, ARGV[1]) end
redis.pcall('PUBLISH', ARGV[2], '1')
redis.pcall('PUBLISH', ARGV[3], ARGV[1])
return { 1 }`,
  bringForward: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
head = tonumber(head)
if not head or head > now - ARGV[1] then return { 0, 0, 0 } end

local from, searched = string.match(redis.call('GET', KEYS[2]) or '', '^(%S+) (%d+)$')
if searched and math.abs(now - searched) < tonumber(ARGV[3]) then return { 0, 1, 0 } end
if not from or (tonumber(string.match(from, '^%(?(.*)$')) or now + 1) > now then from = '-inf' end

local first = math.max(math.floor(head) - 1, -1e12)
local most = tonumber(ARGV[2])
local members = redis.call('ZRANGEBYSCORE', KEYS[1], from, now, 'WITHSCORES', 'LIMIT', 0, most)
local count, last_moved = 0, nil
local is_behind_others = from ~= '-inf'
for i = 1, #members, 2 do
  local id, text = members[i], members[i + 1]
  local score = tonumber(text)
  local units = string.find(text, '.', 1, true) and math.floor(score % 1 * 128 + 0.5) or 0
  if units % 2 == 0 then
    is_behind_others = true
  elseif is_behind_others then
    -- INCR emits the event 'zincr', so a listener for 'zadd' hears producers only.
    redis.call('ZADD', KEYS[1], 'XX', 'INCR', string.format('%.7f', first + units / 128 - score), id)
    count, last_moved = count + 1, id
  end
end

local is_more = #members == 2 * most
local to = is_more and members[#members] or string.format('%.0f', now)
local is_among_orphans = is_more and last_moved == members[#members - 1]
if is_more or #members > 2 * ARGV[5] then
  redis.call('SET', KEYS[2], (is_among_orphans and '' or '(') .. to .. ' ' .. string.format('%.0f', now), 'PX', ARGV[4])
end
return { count, 1, is_more and 1 or 0 }`,
  claimAborted: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, lease = ARGV[1], ARGV[2]
local max_deaths = 63
local out = {}
for k = 3, #KEYS, 3 do
  local in_progress, job, retry = unpack(KEYS, k, k + 2)
  local id = string.sub(in_progress, tonumber(ARGV[4]))
  local score = redis.call('ZSCORE', KEYS[1], id)
  local asked = score and redis.call('ZSCORE', KEYS[2], id)
  local payload = asked and redis.pcall('GET', job)
  local try
  local at = score and tonumber(score)
  local units = at and math.abs(at) < 9e15 and math.floor(at % 1 * 128 + 0.5) or 0
  local deaths = math.floor(units / 2)
  if type(payload) == 'string' then
    local holder = redis.pcall('GET', in_progress)
    if holder == token then
      local counted = redis.pcall('GET', retry)
      try = type(counted) == 'string' and tonumber(counted) or 1
    elseif not holder or holder == 'ended' then
      try = redis.pcall('INCR', retry)
      if type(try) == 'number' then
        redis.call('EXPIRE', retry, ARGV[3])
        redis.call('SET', in_progress, token, 'PX', lease)
        deaths = math.min(deaths + units % 2, max_deaths)
        redis.call('ZADD', KEYS[1], 'XX', string.format('%.7f', now + lease + (2 * deaths + 1) / 128), id)
      end
    end
  end
  if type(try) == 'number' then
    local n = #out
    out[n + 1], out[n + 2], out[n + 3], out[n + 4], out[n + 5], out[n + 6] = k / 3, score, try, asked, payload, deaths
  end
end
return out`,
  claimExpired: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, lease = ARGV[1], ARGV[2]
local max_deaths = 63
local out, faults = {}, {}
for k = 3, #KEYS, 4 do
  local in_progress, job, retry, result = unpack(KEYS, k, k + 3)
  local id = string.sub(in_progress, tonumber(ARGV[4]))
  local score = tonumber(redis.call('ZSCORE', KEYS[1], id))
  local number = (k + 1) / 4
  local taken, try = false, 0
  local units = score and math.abs(score) < 9e15 and math.floor(score % 1 * 128 + 0.5) or 0
  local deaths = math.floor(units / 2)
  local holder = redis.pcall('GET', in_progress)
  if score and holder == token then
    local counted = redis.pcall('GET', retry)
    taken, try = score, type(counted) == 'string' and tonumber(counted) or 1
  elseif
    score
    and score <= now
    and score ~= -math.huge
    and (not holder or holder == 'ended')
    and redis.call('EXISTS', job) == 0
  then
    if holder or redis.call('EXISTS', result) == 1 then
      redis.call('ZREM', KEYS[1], id)
      redis.pcall('ZREM', KEYS[2], id)
    else
      try = redis.pcall('INCR', retry)
      if type(try) == 'table' then
        local n = #faults
        faults[n + 1], faults[n + 2], faults[n + 3] = number, k + 2, try.err
        try = 0
      else
        redis.call('EXPIRE', retry, ARGV[3])
        redis.call('SET', in_progress, token, 'PX', lease)
        deaths = math.min(deaths + units % 2, max_deaths)
        redis.call('ZADD', KEYS[1], 'XX', string.format('%.7f', now + lease + (2 * deaths + 1) / 128), id)
        taken = score
      end
    end
  end
  out[3 * number - 2], out[3 * number - 1], out[3 * number] = taken, try, taken and deaths or 0
end
if #faults > 0 then out[#out + 1] = faults end
return out`,
  claim: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, lease, id_at = ARGV[1], ARGV[2], tonumber(ARGV[6])
local lease_end, one_by_one = string.format('%.0f', now + lease) .. '.0078125', ARGV[7] == '1'
local max_deaths = 63
local faults = {}
local function fault(job, key, reason)
  local n = #faults
  faults[n + 1], faults[n + 2], faults[n + 3] = job, key, reason
end
local paused, aborts = 0, false
if redis.call('EXISTS', KEYS[3], KEYS[4]) > 0 then
  paused = redis.pcall('SISMEMBER', KEYS[4], KEYS[1])
  if type(paused) == 'table' then fault(0, 4, paused.err) end
  aborts = ARGV[3] == '1' and redis.call('EXISTS', KEYS[3]) == 1
end
local out, more, payloads = { now }, {}, {}

local function obstacle(job, k, holder, stored)
  -- The fence of an ended job, see finish.lua, is none to a new job of its id.
  if holder == 'ended' and not stored then return false end
  if type(holder) == 'string' then return true end
  if holder then
    fault(job, k, holder.err)
  elseif stored then
    fault(job, 1, 'the score is not finite')
  elseif redis.call('EXISTS', KEYS[k + 1]) == 1 then
    fault(job, k + 1, 'WRONGTYPE a job is a string')
  else
    return false
  end
  return true
end

for from = 5, #KEYS, 1500 do
  local last = math.min(from + 1499, #KEYS)
  local ids, jobs = {}, {}
  for k = from, last, 3 do
    ids[#ids + 1] = string.sub(KEYS[k], id_at)
    jobs[#jobs + 1] = KEYS[k + 1]
  end
  local scores = redis.call('ZMSCORE', KEYS[1], unpack(ids))
  local stored = redis.call('MGET', unpack(jobs))
  local asked = aborts and redis.pcall('ZMSCORE', KEYS[3], unpack(ids))
  if asked and asked.err then
    fault(0, 3, asked.err)
    aborts, asked = false, false
  end
  local moved, settled, held = {}, {}, {}
  for i, id in ipairs(ids) do
    local k = from + 3 * i - 3
    local score = scores[i] and tonumber(scores[i])
    local due = score and score <= now and paused ~= 1
    local claimed = due and stored[i] and score ~= -math.huge and redis.call('SET', KEYS[k], token, 'NX', 'PX', lease)
    local holder = not claimed and score and redis.pcall('GET', KEYS[k])
    if holder == 'ended' and due and stored[i] and score ~= -math.huge then
      claimed, holder = redis.call('SET', KEYS[k], token, 'PX', lease), false
    end
    local again = holder == token
    local taken, try, apart, deaths = false, 1, false, 0
    if (claimed or again) and score % 1 ~= 0 then
      local units = math.floor(score % 1 * 128 + 0.5)
      deaths = math.min(math.floor(units / 2) + (claimed and units % 2 or 0), max_deaths)
    end
    if claimed then
      if not redis.call('SET', KEYS[k + 2], '1', 'NX', 'EX', ARGV[4]) then
        try = redis.pcall('INCR', KEYS[k + 2])
        if type(try) == 'table' then
          redis.call('DEL', KEYS[k])
          fault((k - 2) / 3, k + 2, try.err)
          claimed, apart = false, true
        elseif redis.call('TTL', KEYS[k + 2]) < tonumber(ARGV[4]) then
          redis.call('EXPIRE', KEYS[k + 2], ARGV[4])
        end
      end
    elseif again then
      local counted = redis.pcall('GET', KEYS[k + 2])
      try = type(counted) == 'string' and tonumber(counted) or 1
    elseif due then
      apart = obstacle((k - 2) / 3, k, holder, stored[i])
      if not apart then taken = '' end
    end
    if claimed and one_by_one and score > -9e15 then
      local by = now + lease - score + (2 * deaths + 1) / 128
      redis.call('ZADD', KEYS[1], 'XX', 'INCR', string.format('%.7f', by), id)
    elseif claimed then
      moved[#moved + 1] = deaths == 0 and lease_end or string.format('%.7f', now + lease + (2 * deaths + 1) / 128)
      moved[#moved + 1] = id
    end
    if claimed or again then
      taken = score
      local abort = asked and asked[i] or false
      if try ~= 1 or abort or deaths > 0 then
        local n = #more
        more[n + 1], more[n + 2], more[n + 3], more[n + 4] = #payloads + 1, try, abort, deaths
      end
      payloads[#payloads + 1] = stored[i]
    end
    out[#out + 1] = taken
    if apart then
      held[#held + 1] = string.format('%.0f', now + ARGV[5])
      held[#held + 1] = id
    else
      settled[#settled + 1] = id
    end
  end
  if #moved > 0 then redis.call('ZADD', KEYS[1], 'XX', unpack(moved)) end
  if #held > 0 then redis.pcall('ZADD', KEYS[2], unpack(held)) end
  if #settled > 0 then redis.pcall('ZREM', KEYS[2], unpack(settled)) end
end
out[#out + 1] = #more / 4
for i = 1, #more do out[#out + 1] = more[i] end
for i = 1, #payloads do out[#out + 1] = payloads[i] end
if #faults > 0 then out[#out + 1] = faults end
return out`,
  countHeld: `local holders = redis.call('MGET', unpack(KEYS))
local without = {}
for k, holder in ipairs(holders) do
  if not holder then without[#without + 1] = KEYS[k] end
end
local any_faulty = #without > 0 and redis.call('EXISTS', unpack(without)) > 0
local held, first, faulty = 0, 0, {}
for k, holder in ipairs(holders) do
  local is_faulty = any_faulty and not holder and redis.call('EXISTS', KEYS[k]) == 1
  if is_faulty then faulty[#faulty + 1] = k end
  if is_faulty or (holder and holder ~= ARGV[1]) then
    held = held + 1
  elseif first == 0 then
    first = k
  end
end
return { held, first, unpack(faulty) }`,
  cronPause: `local entry = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if entry == ARGV[3] then return { 1 } end
if entry ~= ARGV[2] then return { 0 } end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return { 1 }`,
  deadHeaders: `local out, faulty = {}, {}
for k, key in ipairs(KEYS) do
  local fields = redis.pcall('HMGET', key, unpack(ARGV))
  if fields.err then
    faulty[#faulty + 1] = k
    fields = {}
  end
  for i = 1, #ARGV do
    out[#out + 1] = fields[i] or false
  end
end
return { out, faulty }`,
  deadQueues: `local counts, order, faulty = {}, {}, {}
for k, key in ipairs(KEYS) do
  local queue = redis.pcall('HGET', key, 'queue')
  if type(queue) == 'table' then
    faulty[#faulty + 1] = k
  elseif queue then
    if not counts[queue] then order[#order + 1] = queue end
    counts[queue] = (counts[queue] or 0) + 1
  end
end
local out = {}
for _, queue in ipairs(order) do
  out[#out + 1] = queue
  out[#out + 1] = counts[queue]
end
return { out, faulty }`,
  enqueueUnique: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local key, id, till, policy = KEYS[1], ARGV[2], ARGV[4], ARGV[5]
local owner, owner_queue, since, first, next_at = unpack(redis.call('HMGET', key, 'id', 'queue', 'since', 'first', 'next'))
owner = owner or ''
local function number(text, other)
  local n = text and tonumber(text)
  return n and math.abs(n) < 9e15 and n or other
end
since, first, next_at = number(since, 0), number(first), number(next_at, 0)
if ARGV[16] == '1' and owner == id then return { 'queued', id, ARGV[3] } end
if owner ~= ARGV[1] then return { 'changed', owner, owner_queue or '' } end
local due = tonumber(ARGV[7])
if ARGV[6] == 'in' then due = now + due end
local life, quiet, outlives = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[14])

local alive, runs, has_key, score = false, false, false, false
if owner ~= '' then
  score = redis.call('ZSCORE', KEYS[4], owner)
  local holder = redis.pcall('GET', KEYS[6])
  runs = holder and holder ~= 'ended'
  alive = score and redis.call('EXISTS', KEYS[5]) == 1
  if till == 'start' then
    has_key = alive and not runs and redis.call('EXISTS', KEYS[7]) == 0
  elseif till == 'end' then
    has_key = alive
  else
    local ended_well = ARGV[15] == '1' and redis.call('EXISTS', KEYS[8]) == 1
    has_key = now < since + tonumber(till) and (alive or ended_well)
  end
end
local waits = alive and not runs
if not waits then
  next_at = next_at - math.max(0, since - now)
  since = math.min(since, now)
end
if first and first > now then
  first = now
  redis.call('HSET', key, 'first', now)
end
if has_key and policy == 'reject' then return { 'duplicate', owner, owner_queue } end

local function keep_key(lifetime)
  redis.call('PEXPIRE', key, string.format('%.0f', lifetime + outlives))
end
local function wake(channel, at, what)
  redis.pcall('PUBLISH', channel, string.format('%.0f', at) .. (at <= now and ' ' .. what or ''))
end

if has_key and waits then
  local at = tonumber(score)
  local moves = policy == 'replace'
  if policy == 'debounce' then
    due = math.max(math.min(now + quiet, (first or now) + tonumber(ARGV[10])), now)
    moves = at > now
  end
  if moves then
    redis.call('ZADD', KEYS[4], 'XX', string.format('%.7f', due + (number(score) and at % 1 or 0)), owner)
    at = due
  end
  local lifetime = math.max(at - now, 0) + life
  redis.call('SET', KEYS[5], ARGV[11], 'PX', string.format('%.0f', lifetime))
  keep_key(lifetime)
  if moves then wake(ARGV[13], due, owner) end
  return { 'replaced', owner, owner_queue }
end

if policy == 'debounce' then
  due = math.max(due, now + quiet)
elseif policy == 'throttle' then
  due = math.max(due, next_at)
end
if has_key and till ~= 'start' and till ~= 'end' then due = math.max(due, since + tonumber(till)) end
local lifetime = math.max(due - now, 0) + life
redis.call('ZADD', KEYS[2], string.format('%.0f', due), id)
redis.call('SET', KEYS[3], ARGV[11], 'PX', string.format('%.0f', lifetime))
redis.call('HSET', key, 'id', id, 'queue', ARGV[3], 'since', string.format('%.0f', math.max(now, due)), 'first', now)
if policy == 'throttle' then redis.call('HSET', key, 'next', string.format('%.0f', math.max(due, now) + quiet)) end
keep_key(math.max(lifetime, due - now + quiet, due - now + (tonumber(till) or 0)))
wake(ARGV[12], due, id)
return { 'queued', id, ARGV[3] }`,
  enqueue: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local resent, are_new = ARGV[1] == '1', ARGV[1] == '2'
local extra, ways = ARGV[2], tonumber(ARGV[3])
local arg = 3 + 4 * ways
local due, score, ttl, count, last = {}, {}, {}, {}, {}
for w = 1, ways do
  local at, expires = tonumber(ARGV[4 * w + 1]), ARGV[4 * w + 2]
  if ARGV[4 * w] == 'in' then at = now + at end
  due[w], score[w], count[w] = at, string.format('%.0f', at), 0
  ttl[w] = expires ~= '' and expires or at <= now and extra or string.format('%.0f', at - now + extra)
end
local abort = KEYS[#KEYS]
local out, fresh = { now }, {}
for i = 1, (#ARGV - arg) / 3 do
  local key, at = ways + 2 * i - 1, arg + 3 * i
  local job, id, payload = KEYS[key], ARGV[at - 2], ARGV[at]
  local queued = 0
  if are_new or redis.call('EXISTS', job, KEYS[key + 1]) == 0 then
    local w = tonumber(ARGV[at - 1])
    -- The queue first: if it is no sorted set, nothing is stored.
    redis.call('ZADD', KEYS[w], score[w], id)
    redis.call('SET', job, payload, 'PX', ttl[w])
    count[w], last[w] = count[w] + 1, id
    fresh[#fresh + 1] = id
    queued = 1
  elseif resent and redis.pcall('GET', job) == payload then
    queued = 1
  end
  out[i + 1] = queued
end
if not are_new and #fresh > 0 and redis.call('EXISTS', abort) == 1 then
  for from = 1, #fresh, 1000 do
    redis.pcall('ZREM', abort, unpack(fresh, from, math.min(from + 999, #fresh)))
  end
end
local channel = ARGV[arg]
if ways == 1 then
  if count[1] > 0 then
    redis.pcall('PUBLISH', channel, count[1] == 1 and due[1] <= now and score[1] .. ' ' .. last[1] or score[1])
  end
  return out
end
local news = {}
for w = 1, ways do
  channel = ARGV[4 * w + 3]
  local known = news[channel]
  if count[w] > 0 and known then
    news[channel] = { math.min(due[w], known[1]), '' }
  elseif count[w] > 0 then
    news[channel] = { due[w], count[w] == 1 and due[w] <= now and ' ' .. last[w] or '' }
  end
end
for name, new in pairs(news) do
  redis.pcall('PUBLISH', name, string.format('%.0f', new[1]) .. new[2])
end
return out`,
  finish: `local queue = KEYS[3]
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
return out`,
  flowCancel: `local flow, open, out, todo, held = unpack(KEYS, 1, 5)
local state = redis.call('HGET', flow, 'state')
if state == 'running' then
  state = 'cancelling'
  redis.call('HSET', flow, 'state', state)
end
local reply = { state or '' }
for m = 0, (#KEYS - 5) / 4 - 1 do
  local queue, job, in_progress, result = unpack(KEYS, 4 * m + 6, 4 * m + 9)
  local key, id = unpack(ARGV, 2 * m + 1, 2 * m + 2)
  local holder = redis.pcall('GET', in_progress)
  local there = type(redis.pcall('ZSCORE', queue, id)) == 'string'
  reply[m + 2] = 0
  if state == 'cancelling' and redis.call('SISMEMBER', open, key) == 1 then
    if holder and holder ~= 'ended' and there then
      reply[m + 2] = 2
    elseif there or redis.call('SISMEMBER', out, key) == 0 then
      redis.pcall('ZREM', queue, id)
      -- A result there is that of a run before a replay.
      redis.call('DEL', job, result)
      redis.pcall('HDEL', held, id)
      redis.call('HDEL', todo, key)
      redis.call('SADD', out, key)
      redis.call('HSET', flow, 'n:' .. key, 'cancelled')
      reply[m + 2] = 1
    end
  end
end
return reply`,
  flowEnd: `local flow, open, out, todo, calls, results, watch, held = unpack(KEYS, 1, 8)
local members = (#KEYS - 8) / 2
local state, has_kids, version, on_unknown = unpack(redis.call('HMGET', flow, 'state', 'kids', 'version', 'unknown'))
if not state then
  redis.pcall('ZREM', watch, ARGV[1])
  return { '', 0, members, '' }
end
local time = redis.call('TIME')
local micros, left = tonumber(time[2]), tonumber(ARGV[3])
local ready, ended, failed, done, rest = {}, 0, false, 0, nil

local function open_before(key)
  local level, most = {}, redis.call('HLEN', flow)
  for parent in string.gmatch(redis.call('HGET', flow, 'a:' .. key) or '', '[^,]+') do level[#level + 1] = parent end
  while #level > 0 do
    local kids, pages = {}, math.ceil(#level / 1000)
    for page = 0, pages - 1 do
      local from = (page + micros) % pages * 1000 + 1
      local last = math.min(from + 999, #level)
      local found, counts = {}, {}
      for i, is_open in ipairs(redis.call('SMISMEMBER', open, unpack(level, from, last))) do
        if is_open == 1 then found[#found + 1] = level[from + i - 1] end
      end
      if #found > 0 then return found[micros % #found + 1] end
      left = left - (last - from) / 100
      for i = from, has_kids and last or 0 do counts[#counts + 1] = 'k:' .. level[i] end
      for i, count in ipairs(#counts > 0 and redis.call('HMGET', flow, unpack(counts)) or {}) do
        -- Each has fields of its own: a count beyond these is none, and would hold the server up.
        for n = 0, math.min(tonumber(count) or 0, most - #kids) - 1 do
          kids[#kids + 1] = level[from + i - 1] .. '.' .. n
        end
      end
    end
    level = kids
  end
end

local function look_at(key)
  if redis.call('SISMEMBER', open, key) == 0 or redis.call('SISMEMBER', out, key) == 1 then return end
  local task = redis.call('HGET', todo, key)
  if task and string.sub(task, 1, 4) ~= 'hold' then return end
  local witness = redis.call('HGET', flow, 'w:' .. key)
  if witness and redis.call('SISMEMBER', open, witness) == 1 then return end
  witness = open_before(key)
  if witness then
    redis.call('HSET', flow, 'w:' .. key, witness)
    return
  end
  redis.call('HDEL', flow, 'w:' .. key)
  redis.call('HSET', todo, key, (task and 'start:' or 'free:') .. version)
  ready[#ready + 1] = key
end

local function look_behind(key, place)
  local lists, head = {}, key
  while head do
    lists[#lists + 1] = redis.call('HGET', flow, 'x:' .. head) or ''
    head = string.match(head, '^(.*)%.')
  end
  local list = table.concat(lists, ',')
  local first, last = string.find(list, '[^,]+', place or 1)
  while first and left > 0 do
    look_at(string.sub(list, first, last))
    left = left - 1
    first, last = string.find(list, '[^,]+', last + 1)
  end
  if first then
    local task = string.format('next:%d', first)
    redis.call('HSET', todo, key, task)
    return task
  end
  if place then redis.call('HDEL', todo, key) end
end

local function settle_drafts(parent, outcome)
  local known = redis.call('HMGET', flow, 's:' .. parent, 'c:' .. parent, 'k:' .. parent)
  local drafts, count, kids = tonumber(known[1] or 0), tonumber(known[2] or 0), tonumber(known[3] or 0)
  if drafts == 0 then return end
  if outcome ~= 'success' or state ~= 'running' then count = 0 end
  if kids < count then
    has_kids = '1'
    redis.call('HSET', flow, 'kids', has_kids)
  end
  while kids < count and left > 0 do
    local key = parent .. '.' .. kids
    local draft = redis.call('HGET', flow, 'd:' .. key)
    local before, after, definition = string.match(draft or '', '^(.-)|(.-)|(.*)$')
    if definition then
      redis.call('HSET', flow, 'm:' .. key, definition, 'a:' .. key, before, 'x:' .. key, after)
      redis.call('HDEL', flow, 'd:' .. key)
      redis.call('SADD', open, key)
      -- Drafts come in an order that they can run in: what is before it is open already.
      redis.call('HSET', todo, key, (open_before(key) and 'hold:' or 'start:') .. version)
      ready[#ready + 1] = key
    end
    kids, left = kids + 1, left - 1
    redis.call('HSET', flow, 'k:' .. parent, kids)
  end
  local keep = math.max(kids, count)
  while drafts > keep and left > 0 do
    drafts, left = drafts - 1, left - 1
    redis.call('HDEL', flow, 'd:' .. parent .. '.' .. drafts)
    redis.call('HDEL', calls, parent .. '.' .. drafts)
  end
  if kids >= count and drafts <= keep then
    redis.call('HDEL', flow, 's:' .. parent, 'c:' .. parent)
    return
  end
  redis.call('HSET', flow, 's:' .. parent, drafts)
  return kids .. ' ' .. drafts
end

for m = 0, members - 1 do
  if left <= 0 then break end
  local queue, job = KEYS[2 * m + 9], KEYS[2 * m + 10]
  local key, id, outcome, otherwise, result = unpack(ARGV, 5 * m + 4, 5 * m + 8)
  local task = redis.call('HGET', todo, key)
  local place = task and tonumber(string.match(task, '^next:(%d+)$'))
  local is_gone = not task
    and redis.call('SISMEMBER', open, key) == 1
    and type(redis.pcall('ZSCORE', queue, id)) ~= 'string'
    and redis.call('EXISTS', job) == 0
  if is_gone and outcome == '' then outcome = redis.call('HGET', flow, 'n:' .. key) or otherwise end
  local can_end = is_gone and outcome ~= ''
  if place then
    rest = look_behind(key, place)
  elseif can_end then
    rest = settle_drafts(key, outcome)
  end
  if can_end and not rest then
    ended = ended + 1
    redis.call('SREM', open, key)
    redis.call('SREM', out, key)
    redis.pcall('HDEL', held, id)
    redis.call('HDEL', flow, 'n:' .. key, 'w:' .. key)
    redis.call('HSET', flow, 'e:' .. key, outcome)
    if result ~= '' then redis.call('HSET', results, key, result) end
    local is_fine = outcome == 'success' or outcome == 'skipped' or (outcome == 'unknown' and on_unknown == 'succeed')
    failed = failed or not is_fine
    rest = look_behind(key)
  end
  if place or can_end then left = left - 1 end
  if rest then break end
  done = done + 1
end
if failed then redis.call('HSET', flow, 'failed', '1') end
if ended > 0 and redis.call('SCARD', open) == 0 then
  state = state == 'cancelling' and 'cancelled' or redis.call('HGET', flow, 'failed') and 'failed' or 'complete'
  redis.call('HSET', flow, 'state', state, 'ended', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
  redis.call('DEL', todo)
  for _, key in ipairs({ flow, calls, results }) do
    redis.call('PEXPIRE', key, redis.call('HGET', flow, 'keep'))
  end
  redis.pcall('ZREM', watch, ARGV[1])
  redis.pcall('PUBLISH', ARGV[2], state)
  done, rest = members, nil
end
local reply = { state, ended, done, rest or '' }
for i = 1, #ready do reply[i + 4] = ready[i] end
return reply`,
  flowNote: `local flow, open, calls, results, queue, in_progress, retry = unpack(KEYS, 1, 7)
local member, outcome, result = ARGV[4], ARGV[5], ARGV[6]
redis.call('HLEN', calls)
redis.call('HLEN', results)
local stored = tonumber(redis.call('HGET', flow, 's:' .. member) or 0)
local holder = redis.pcall('GET', in_progress)
local held = holder == ARGV[2]
if type(holder) ~= 'string' then
  held = redis.pcall('GET', retry) == ARGV[3] and type(redis.pcall('ZSCORE', queue, ARGV[1])) == 'string'
end
if not held or redis.call('SISMEMBER', open, member) == 0 then return { 0 } end
local count = tonumber(ARGV[7])
for i = 8, #ARGV, 4 do
  local before, after, definition, payload = unpack(ARGV, i, i + 3)
  local key = member .. '.' .. count
  redis.call('HSET', flow, 'd:' .. key, before .. '|' .. after .. '|' .. definition)
  redis.call('HSET', calls, key, payload)
  count = count + 1
end
if count > stored then redis.call('HSET', flow, 's:' .. member, count) end
if outcome ~= '' then
  redis.call('HSET', flow, 'n:' .. member, outcome)
  if count > 0 or stored > 0 then redis.call('HSET', flow, 'c:' .. member, count) end
  if result ~= '' then redis.call('HSET', results, member, result) end
end
return { 1 }`,
  flowPlace: `local time = redis.call('TIME')
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
return reply`,
  flowReopen: `local flow, open, out, todo, calls, results, watch = unpack(KEYS, 1, 7)
local version = redis.call('HGET', flow, 'version')
local dropped = tonumber(ARGV[5])
if version ~= ARGV[2] or redis.call('HGET', flow, 'state') == 'creating' then return { 0 } end

local function each_thousand(args, call)
  for from = 1, #args, 1000 do call(unpack(args, from, math.min(from + 999, #args))) end
end
local function fields_of(list, key, letters)
  for letter in string.gmatch(letters, '.') do list[#list + 1] = letter .. ':' .. key end
end

local going, opening, fields, outs, tasks = {}, {}, {}, {}, {}
for i = 6, 5 + dropped do
  going[#going + 1] = ARGV[i]
  fields_of(fields, ARGV[i], 'maxkenwr')
end
local new_version = string.format('%.0f', tonumber(version) + 1)
for i = 6 + dropped, #ARGV, 2 do
  local key, task = ARGV[i], ARGV[i + 1]
  opening[#opening + 1] = key
  fields_of(fields, key, 'kenwr')
  if task == 'out' then
    outs[#outs + 1] = key
  else
    tasks[#tasks + 1] = key
    tasks[#tasks + 1] = task .. ':' .. new_version
  end
end
local is_open = false
each_thousand(opening, function(...)
  for _, is_member in ipairs(redis.call('SMISMEMBER', open, ...)) do is_open = is_open or is_member == 1 end
end)
if is_open then return { 0 } end
redis.call('ZADD', watch, 0, ARGV[1])
each_thousand(going, function(...) redis.call('HDEL', calls, ...) end)
each_thousand(going, function(...) redis.call('HDEL', results, ...) end)
each_thousand(opening, function(...) redis.call('HDEL', results, ...) end)
each_thousand(fields, function(...) redis.call('HDEL', flow, ...) end)
each_thousand(opening, function(...) redis.call('SADD', open, ...) end)
each_thousand(outs, function(...) redis.call('SADD', out, ...) end)
each_thousand(tasks, function(...) redis.call('HSET', todo, ...) end)
redis.call('HDEL', flow, 'ended')
if ARGV[4] ~= '1' then redis.call('HDEL', flow, 'failed') end
redis.call('HSET', flow, 'state', 'running', 'version', new_version)
for _, key in ipairs({ flow, calls, results }) do redis.call('PERSIST', key) end
redis.pcall('PUBLISH', ARGV[3], ARGV[1])
return { 1 }`,
  flowStart: `redis.call('ZCARD', KEYS[5])
redis.call('ZCARD', KEYS[6])
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'creating' then return { state and 1 or 0 } end
local members = tonumber(ARGV[2])
for i = 2, 4 do
  local count = redis.call(i == 2 and 'SCARD' or 'HLEN', KEYS[i])
  if count ~= members then return { 0 } end
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], 'state', 'running', 'started', now)
for i = 1, 4 do redis.call('PERSIST', KEYS[i]) end
redis.call('ZADD', KEYS[5], now, ARGV[1])
redis.call('ZADD', KEYS[6], now, ARGV[1])
redis.pcall('PUBLISH', ARGV[3], ARGV[1])
return { 1 }`,
  flowTake: `if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'starter', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return { redis.call('HGET', KEYS[1], 'starter') == ARGV[1] and 1 or 0 }`,
  free: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local out = {}
for i = 1, #KEYS - 1 do
  local id, seen = ARGV[2 * i], ARGV[2 * i + 1]
  out[i] = 0
  if redis.pcall('GET', KEYS[i + 1]) == seen then
    -- The queue first: if it is no sorted set, the key stays.
    -- The fraction stays: it marks the death of the worker, see claim.lua.
    local score = tonumber(redis.call('ZSCORE', KEYS[1], id) or 0)
    local fraction = math.abs(score) < 9e15 and score % 1 or 0
    redis.call('ZADD', KEYS[1], 'XX', string.format('%.7f', now + fraction), id)
    redis.call('DEL', KEYS[i + 1])
    out[i] = 1
  end
end
redis.pcall('PUBLISH', ARGV[1], string.format('%.0f', now))
return out`,
  handOff: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = string.format('%.0f', now)
local jobs = (#KEYS - 2) / 2
local handed, held_until, token, channel = 0, nil, nil, nil
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
return out`,
  limitAdmit: `local time = redis.call('TIME')
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

local function number(text)
  local n = text and tonumber(text)
  return n and math.abs(n) < 9e15 and n or nil
end

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
return out`,
  limitFill: `local time = redis.call('TIME')
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

local function number(text)
  local n = text and tonumber(text)
  return n and math.abs(n) < 9e15 and n or nil
end

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
local function start_of(n)
  return rate and tat + (n - burst) * per / rate or 0
end
local function is_near(n)
  return not rate or n == 1 or start_of(n) <= now + horizon
end

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
return out`,
  log: `local stream, index, most = KEYS[1], KEYS[2], tonumber(ARGV[1])
local function bytes_at(entry)
  return tonumber(entry[2][4]) or 0
end
local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
if ARGV[7] == '1' then
  for _, entry in ipairs(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 50)) do
    if entry[2][6] == ARGV[6] then return {} end
  end
end
local total = last and bytes_at(last) or 0
for i = 9, #ARGV do
  total = total + #ARGV[i]
  redis.call('XADD', stream, '*', 'j', ARGV[i], 'b', string.format('%.0f', total), 'n', ARGV[6])
end
redis.call('PEXPIRE', stream, ARGV[2])
while true do
  local page = redis.call('XRANGE', stream, '-', '+', 'COUNT', 20)
  local dropped = 0
  for _, entry in ipairs(page) do
    if bytes_at(entry) - #entry[2][2] >= total - most then break end
    redis.call('XDEL', stream, entry[1])
    dropped = dropped + 1
  end
  if dropped < 20 then break end
end
redis.pcall('PUBLISH', ARGV[5], '')
local length = not last and redis.pcall('LPUSH', index, ARGV[4])
redis.pcall('PEXPIRE', index, ARGV[8])
if type(length) == 'number' and length > tonumber(ARGV[3]) then return { redis.call('RPOP', index) } end
return {}`,
  move: `for i = 1, 3 do redis.call('ZCARD', KEYS[i]) end
local function due(score)
  local fraction = tonumber(score) % 1
  if fraction ~= fraction then fraction = 0 end
  return string.format('%.10f', ARGV[1] + fraction)
end
local function runs(key)
  local holder = redis.pcall('GET', key)
  return holder and holder ~= 'ended'
end
local out = {}
for i = 1, #ARGV - 2 do
  local id = ARGV[i + 2]
  local score = redis.call('ZSCORE', KEYS[1], id)
  if not score then
    out[i] = 0
  elseif runs(KEYS[i + 3]) then
    out[i] = 2
  elseif KEYS[1] ~= KEYS[2] and redis.call('ZSCORE', KEYS[2], id) then
    out[i] = 3
  else
    redis.call('ZADD', KEYS[2], ARGV[1] == '' and score or due(score), id)
    if KEYS[1] ~= KEYS[2] then redis.call('ZREM', KEYS[1], id) end
    redis.call('ZREM', KEYS[3], id)
    out[i] = 1
  end
end
redis.pcall('PUBLISH', ARGV[2], ARGV[1] == '' and '0' or ARGV[1])
return out`,
  page: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local out = { now }
if redis.pcall('SISMEMBER', KEYS[2], KEYS[1]) == 1 then return out end
local start = 0
if ARGV[1] ~= '' then
  local rank = redis.call('ZSCORE', KEYS[1], ARGV[2]) == ARGV[1] and redis.call('ZRANK', KEYS[1], ARGV[2])
  start = rank and rank + 1 or redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[1])
end
local members = redis.call('ZRANGE', KEYS[1], start, start + ARGV[3] - 1, 'WITHSCORES')
for i = 1, #members, 2 do
  if tonumber(members[i + 1]) > now then break end
  out[i + 1], out[i + 2] = members[i], members[i + 1]
end
return out`,
  putBack: `local id = ARGV[1]
local dead_score = redis.call('ZSCORE', KEYS[2], id)
if redis.call('ZSCORE', KEYS[1], id) or dead_score then return { 0 } end
local holder = redis.pcall('GET', KEYS[3])
if holder and holder ~= 'ended' then return { 0 } end
if redis.call('EXISTS', KEYS[4]) + redis.call('EXISTS', KEYS[6]) > 0 then return { 0 } end
local function set(key, value, ms)
  if value == '' then return end
  redis.call('SET', key, value)
  if tonumber(ms) > 0 then redis.call('PEXPIRE', key, ms) end
end
set(KEYS[4], ARGV[4], ARGV[5])
set(KEYS[5], ARGV[6], ARGV[7])
set(KEYS[6], ARGV[8], ARGV[9])
if #ARGV > 11 then
  redis.call('DEL', KEYS[7])
  for i = 12, #ARGV, 2 do redis.call('HSET', KEYS[7], ARGV[i], ARGV[i + 1]) end
  if tonumber(ARGV[11]) > 0 then redis.call('PEXPIRE', KEYS[7], ARGV[11]) end
end
if ARGV[10] ~= '' then redis.call('ZADD', KEYS[2], ARGV[10], id) end
if ARGV[3] ~= '' then
  redis.call('ZADD', KEYS[1], ARGV[3], id)
  redis.pcall('PUBLISH', ARGV[2], '0')
end
return { 1 }`,
  recordSeries: `local key, most, oldest = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[3])
local out, size = {}, redis.pcall('HLEN', KEYS[1])
local reason = type(size) == 'table' and size.err
for i = 4, #ARGV, 2 do
  local has = 0
  if not reason then
    if redis.call('HEXISTS', key, ARGV[i]) == 1 then
      has = 1
    else
      if size >= most then
        local entries = redis.call('HGETALL', key)
        for e = 1, #entries, 2 do
          local seen = tonumber(string.match(entries[e + 1], '%d+$') or 0)
          if seen < oldest then size = size - redis.call('HDEL', key, entries[e]) end
        end
      end
      if size < most then
        size = size + redis.call('HSET', key, ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[2])
        has = 1
      end
    end
  end
  out[#out + 1] = has
end
if reason then out[#out + 1] = reason end
return out`,
  record: `local faults, pushed_out = {}, {}
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
return { faults, pushed_out }`,
  remove: `local out = {}
local function drop(set, id)
  local removed = redis.pcall('ZREM', set, id)
  return type(removed) == 'number' and removed or 0
end
for i = 1, #ARGV - 2 do
  local id = ARGV[i + 2]
  local in_progress, job, retry, result, letter, trace, last_error = unpack(KEYS, 7 * i - 2, 7 * i + 4)
  -- The fence of an ended job, see finish.lua, is no run.
  local holder = ARGV[1] ~= '1' and redis.pcall('GET', in_progress)
  local running = holder and holder ~= 'ended'
  if running and type(redis.pcall('ZSCORE', KEYS[1], id)) == 'string' then
    out[i] = 2
  else
    local removed = drop(KEYS[1], id)
    drop(KEYS[2], id)
    drop(KEYS[3], id)
    removed = removed + redis.call('DEL', job)
    redis.call('DEL', in_progress, retry, trace, last_error)
    if ARGV[2] == '1' then
      removed = removed + redis.call('DEL', result, letter) + drop(KEYS[4], id)
    end
    out[i] = removed > 0 and 1 or 0
  end
end
return out`,
  renew: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local out, faults = { now }, {}
local function fault(job, key, reply)
  local n = #faults
  faults[n + 1], faults[n + 2], faults[n + 3] = job, key, reply.err
end
for i = 0, #KEYS / 4 - 1 do
  local queue, in_progress, retry, job = unpack(KEYS, 4 * i + 1, 4 * i + 4)
  local id, token, try, lease = unpack(ARGV, 4 * i + 3, 4 * i + 6)
  local holder = redis.pcall('GET', in_progress)
  local score = redis.pcall('ZSCORE', queue, id)
  if type(score) == 'table' then fault(i + 1, 4 * i + 1, score) end
  local at = type(score) == 'string' and tonumber(score)
  local held = score and holder == token
  if type(holder) == 'table' then
    fault(i + 1, 4 * i + 2, holder)
    held = at and redis.pcall('GET', retry) == try
  elseif not holder then
    held = at and at <= now and redis.pcall('GET', retry) == try
  end
  if held then
    redis.call('SET', in_progress, token, 'PX', lease)
    if at and math.abs(at) < 9e15 then
      -- By whole milliseconds: the fraction counts deaths, see claim.lua.
      redis.call('ZADD', queue, 'XX', 'INCR', string.format('%.0f', now + lease - math.floor(at)), id)
    elseif at then
      redis.call('ZADD', queue, 'XX', string.format('%.7f', now + lease + 1 / 128), id)
    end
    local ttl = redis.call('PTTL', job)
    if ttl >= 0 and ttl < lease + 60000 then redis.call('PEXPIRE', job, lease + ARGV[1]) end
    if redis.call('TTL', retry) < tonumber(ARGV[2]) then redis.call('EXPIRE', retry, ARGV[2]) end
  end
  out[i + 2] = held and 1 or 0
end
if #faults > 0 then out[#out + 1] = faults end
return out`,
  replay: `local holder = redis.pcall('GET', KEYS[7])
if redis.call('EXISTS', KEYS[3]) == 1 or (holder and holder ~= 'ended') then return { 0 } end
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
redis.call('ZADD', KEYS[6], string.format('%.0f', due), ARGV[1])
redis.call('SET', KEYS[3], ARGV[4], 'PX', string.format('%.0f', ARGV[2] + ARGV[3]))
redis.call('DEL', KEYS[2], KEYS[4], KEYS[5], KEYS[7])
redis.pcall('ZREM', KEYS[1], ARGV[1])
redis.pcall('ZREM', KEYS[8], ARGV[1])
redis.pcall('PUBLISH', ARGV[5], string.format('%.0f', due))
return { 1 }`,
  reschedule: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local earliest = {}
local out, faults = {}, {}
local function fault(job, key, reply)
  if type(reply) == 'table' and reply.err then
    local n = #faults
    faults[n + 1], faults[n + 2], faults[n + 3] = job, key, reply.err
    return true
  end
end
for i = 0, #KEYS / 4 - 1 do
  local queue, in_progress, job, retry = unpack(KEYS, 4 * i + 1, 4 * i + 4)
  local id, token, try, kind, due, uncount, payload, channel = unpack(ARGV, 8 * i + 4, 8 * i + 11)
  local holder = redis.pcall('GET', in_progress)
  if fault(i + 1, 4 * i + 2, holder) then holder = false end
  local held = holder == token
    or (not holder and redis.pcall('GET', retry) == try and type(redis.pcall('ZSCORE', queue, id)) == 'string')
  due = tonumber(due)
  if kind == 'in' then due = now + due end
  local score = held and redis.pcall('ZSCORE', queue, id)
  local deaths = type(score) == 'string' and math.floor(math.floor(tonumber(score) % 1 * 128 + 0.5) / 2) or 0
  local at = deaths > 0 and string.format('%.7f', due + deaths / 64) or string.format('%.0f', due)
  if held and fault(i + 1, 4 * i + 1, redis.pcall('ZADD', queue, at, id)) then
    held = false
  elseif held then
    local keep = math.max(due - now, 0) + ARGV[2]
    local ttl = redis.call('PTTL', job)
    if ttl == -2 then
      redis.call('SET', job, payload, 'PX', string.format('%.0f', keep))
    elseif ttl >= 0 and ttl < keep then
      redis.call('PEXPIRE', job, string.format('%.0f', keep))
    end
    redis.call('DEL', in_progress)
    local left = uncount == '1' and redis.pcall('DECR', retry) or 1
    if fault(i + 1, 4 * i + 4, left) then left = 1 end
    if left <= 0 then
      redis.call('DEL', retry)
    else
      redis.call('EXPIRE', retry, string.format('%.0f', math.max(due - now, 0) / 1000 + ARGV[3]))
    end
    if not earliest[channel] or due < earliest[channel] then earliest[channel] = due end
  elseif ARGV[1] == '1' and uncount == '1' and not holder and redis.pcall('ZSCORE', queue, id) then
    -- The first call uncounted the try that this one names.
    local counted = redis.pcall('GET', retry)
    held = type(counted) ~= 'table' and tonumber(counted or 0) == try - 1
  end
  out[i + 1] = held and 1 or 0
end
for channel, due in pairs(earliest) do
  redis.pcall('PUBLISH', channel, string.format('%.0f', due))
end
if #faults > 0 then out[#out + 1] = faults end
return out`,
  rescore: `for i = 1, 2 do redis.call('ZCARD', KEYS[i]) end
local function runs(key)
  local holder = redis.pcall('GET', key)
  return holder and holder ~= 'ended'
end
local out = {}
for i = 1, #KEYS - 2 do
  local id, from, to = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  local score = redis.call('ZSCORE', KEYS[1], id)
  if not score or tonumber(score) ~= tonumber(from) then
    out[i] = 0
  elseif runs(KEYS[i + 2]) then
    out[i] = 2
  else
    redis.call('ZADD', KEYS[1], to, id)
    redis.call('ZREM', KEYS[2], id)
    out[i] = 1
  end
end
redis.pcall('PUBLISH', ARGV[1], '0')
return out`,
  reserve: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local faults = {}
local function fault(key, reply)
  if type(reply) == 'table' and reply.err then
    local n = #faults
    faults[n + 1], faults[n + 2], faults[n + 3] = 0, key, reply.err
    return true
  end
end
local paused = redis.pcall('SISMEMBER', KEYS[3], KEYS[1])
fault(3, paused)
if paused == 1 then return { now, -1 } end
local want, bound = tonumber(ARGV[1]), tonumber(ARGV[4])
local passed = {}
for i = 7, #ARGV do passed[ARGV[i]] = true end
local reserved = 0
if not fault(2, redis.pcall('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)) then
  reserved = redis.call('ZCARD', KEYS[2])
end
local before = reserved + #ARGV - 6
local start = 0
if ARGV[5] ~= '' then
  local rank = redis.call('ZSCORE', KEYS[1], ARGV[6]) == ARGV[5] and redis.call('ZRANK', KEYS[1], ARGV[6])
  start = rank and rank + 1 or redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[5])
end

local function due_from(offset, count)
  if start == 0 then return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', offset, count) end
  local members = redis.call('ZRANGE', KEYS[1], start + offset, start + offset + count - 1, 'WITHSCORES')
  local due = {}
  for i = 1, #members, 2 do
    if tonumber(members[i + 1]) > now then break end
    due[#due + 1] = members[i]
  end
  return due
end

local function find(offset, count)
  local due = due_from(offset, math.min(count, bound))
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
  redis.pcall('ZADD', KEYS[2], unpack(entries, from, math.min(from + 999, #entries)))
end
if #ids < want then
  local later = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local at = tonumber(later[2])
  if at and at < 9e15 then out[2] = at end
end
if #faults > 0 then out[#out + 1] = faults end
return out`,
  scheduleTake: `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local names = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[3] == '1' and now + ARGV[1] or now, 'LIMIT', 0, ARGV[2])
for _, name in ipairs(names) do redis.call('ZADD', KEYS[1], now + ARGV[1], name) end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
local out = { now, (first == nil or first == 'inf') and '' or first }
for _, name in ipairs(names) do out[#out + 1] = name end
return out`,
  scheduleWrite: `local name, count, before = ARGV[2], tonumber(ARGV[14]), ARGV[8]
local known = redis.call('HMGET', KEYS[2], 'revision', 'done')
local revision, done = known[1] or '', known[2] or ''
local out = {}
if revision ~= ARGV[3] or (revision ~= '' and done ~= ARGV[4]) then
  local is_written = ARGV[6] == '' and revision == '' or revision .. ' ' .. done == ARGV[5]
  if ARGV[1] ~= '1' or not is_written then return 'changed' end
  for i = 1, count do out[i] = redis.pcall('GET', KEYS[3 + 2 * i]) == ARGV[10] and 1 or 0 end
  return out
end
redis.call('ZSCORE', KEYS[1], name)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fresh, last, before_key = 0, nil, KEYS[4]
for i = 1, count do
  local id, due = ARGV[13 + 2 * i], ARGV[14 + 2 * i]
  local job, result = KEYS[3 + 2 * i], KEYS[4 + 2 * i]
  local waits = ARGV[7] == '1' and before ~= '' and before ~= id and redis.pcall('ZSCORE', before_key, before)
  if type(waits) == 'string' then
    out[i] = -1
  elseif redis.call('EXISTS', job, result) > 0 then
    out[i] = 0
  else
    redis.call('ZADD', KEYS[3], due, id)
    redis.call('SET', job, ARGV[10], 'PX', ARGV[9])
    out[i], last, before, before_key = 1, i, id, KEYS[3]
    fresh = fresh + 1
  end
end
if ARGV[6] == '' then
  redis.call('DEL', KEYS[2])
  redis.call('ZREM', KEYS[1], name)
else
  local at = string.find(ARGV[5], ' ', 1, true)
  redis.call('HSET', KEYS[2], 'revision', string.sub(ARGV[5], 1, at - 1), 'done', string.sub(ARGV[5], at + 1))
  for i = 15 + 2 * count, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
  if last then
    redis.call('HSET', KEYS[2], 'last', ARGV[13 + 2 * last], 'lastMs', ARGV[14 + 2 * last], 'lastQueue', ARGV[11])
  end
  redis.call('ZADD', KEYS[1], ARGV[6], name)
end
if last then
  redis.pcall('PUBLISH', ARGV[12], ARGV[14 + 2 * last] .. (fresh == 1 and ' ' .. ARGV[13 + 2 * last] or ''))
end
if ARGV[13] ~= '' then redis.pcall('PUBLISH', ARGV[13], name) end
return out`,
  setTry: `if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return { 0 } end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return { 1 }`,
  sift: `local bytes = tonumber(ARGV[1])
local reads = bytes > 0
local out, faults = {}, {}

local function faulty(key, reply)
  local n = #faults
  faults[n + 1], faults[n + 2], faults[n + 3] = #out + 1, key, reply.err
  return 3
end

local function values(from, to, offset)
  local keys, missing = {}, {}
  for k = from, to, 3 do keys[#keys + 1] = KEYS[k + offset] end
  local found = redis.call('MGET', unpack(keys))
  for i, key in ipairs(keys) do
    if not found[i] then missing[#missing + 1] = key end
  end
  if #missing > 0 and redis.call('EXISTS', unpack(missing)) > 0 then
    for i, key in ipairs(keys) do
      if not found[i] then found[i] = redis.pcall('GET', key) end
    end
  end
  return found
end

for from = 1, #KEYS, 1500 do
  if bytes < 0 then break end
  local to = math.min(from + 1499, #KEYS)
  local holders, tries = values(from, to, 0), values(from, to, 2)
  for i = 1, (to - from + 1) / 3 do
    local k = from + 3 * i - 3
    local holder, try = holders[i], tries[i]
    local verdict = 0
    -- A fence holds nothing, see finish.lua.
    if type(holder) == 'string' and holder ~= 'ended' then
      verdict = 1
    elseif holder and holder ~= 'ended' then
      verdict = faulty(k, holder)
    else
      local size = redis.pcall('STRLEN', KEYS[k + 1])
      if type(size) == 'table' then
        verdict = faulty(k + 1, size)
      elseif size == 0 then
        verdict = 2
      elseif type(try) == 'table' then
        verdict = faulty(k + 2, try)
      elseif try and not string.find(try, '^-?%d+$') then
        verdict = faulty(k + 2, { err = 'ERR value is not an integer or out of range' })
      elseif reads then
        bytes = bytes - size
        if bytes < 0 and #out > 0 then break end
        verdict = redis.call('GET', KEYS[k + 1])
      end
    end
    out[#out + 1] = verdict
  end
end
if #faults > 0 then out[#out + 1] = faults end
return out`,
  takeOut: `for i = 1, 4 do redis.call('ZCARD', KEYS[i]) end
local mode = ARGV[1]
local function holds(key, kind)
  local found = redis.call('TYPE', key).ok
  return found == 'none' or found == kind
end
local function seen(place, score, dead_score, result)
  local kind = string.sub(place, 1, 1)
  local wanted = tonumber(string.sub(place, 2))
  if kind == 'q' then return score and tonumber(score) == wanted end
  if score then return false end
  if kind == 'd' then return dead_score and tonumber(dead_score) == wanted end
  return result
end
local out = {}
for i = 1, (#ARGV - 1) / 2 do
  local id, place = ARGV[2 * i], ARGV[2 * i + 1]
  local in_progress, job, retry, result, letter, trace, last_error = unpack(KEYS, 7 * i - 2, 7 * i + 4)
  -- The fence that an end leaves, see finish.lua, holds nothing.
  local holder = redis.pcall('GET', in_progress)
  local score = redis.call('ZSCORE', KEYS[1], id)
  local dead_score = redis.call('ZSCORE', KEYS[4], id)
  local sound = holds(job, 'string') and holds(retry, 'string') and holds(result, 'string') and holds(letter, 'hash')
  if not sound then
    out[i] = 0
  elseif holder and holder ~= 'ended' then
    out[i] = 2
  elseif not seen(place, score, dead_score, redis.call('EXISTS', result) == 1) then
    out[i] = 0
  else
    out[i] = 1
    if mode ~= 'drop' then
      out[i] = {
        score, redis.call('GET', job), redis.call('PTTL', job), redis.call('GET', retry),
        redis.call('GET', result), redis.call('PTTL', result),
        dead_score, redis.call('PTTL', letter), redis.call('HGETALL', letter),
      }
    end
    if mode ~= 'peek' then
      for j = 1, 4 do redis.call('ZREM', KEYS[j], id) end
      redis.call('DEL', job, retry, result, letter, trace, last_error)
    end
  end
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
  if ARGV[12] == '1' and redis.pcall('GET', KEYS[2]) == ARGV[10] then return 'queued' end
  decided()
  return 'known'
end
if recorded then
  -- A worker whose clock is ahead may have run a tick before its time.
  local may_have_run = due <= now or ARGV[11] ~= '1'
  if last >= due or (may_have_run and redis.call('EXISTS', KEYS[4]) == 1) then return 'known' end
end
local pause = redis.pcall('HGET', KEYS[7], ARGV[13])
for span in string.gmatch(type(pause) == 'string' and pause .. ',' or '', '([^,]*),') do
  -- A pause that has ended covers its own time alone; any other value is a pause that lasts.
  local since, ended = string.match(span, '^(%d+)%-(%d+)$')
  if not ended or (due >= tonumber(since) and due < tonumber(ended)) then
    decided()
    return 'paused'
  end
end
if recorded and now - due > tonumber(ARGV[3]) then return 'late' end
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
  types: `local out = {}
for k, key in ipairs(KEYS) do out[k] = redis.call('TYPE', key).ok end
return out`,
  wait: `local time = redis.call('TIME')
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
return out`,
} as const

export const luaShas = {
  abort: '3ffa19cbb5a4fb86bde4767dc89657b1058ae79c',
  bringForward: 'a160c2778b08d64792de411a9790a8d51e1413d0',
  claimAborted: '31bcbf35b34b98c2041897f7ee9431bcbfb7884f',
  claimExpired: '4b564fe8324d86632cdf248fb3cba77d8808ef7e',
  claim: '5977d9f3f74e13f0f089391bd1272aabd4cde3c2',
  countHeld: '0a32bc28467196291734d447640f3a9ce4b38715',
  cronPause: '7f5af693401ee4b16841d8cdb16038da8456b94d',
  deadHeaders: '07329426e2ca532edb4d0bf51fd9f0328be9d9e7',
  deadQueues: 'bc88a9660403d0d13aaeddd1f35df8913907cb6f',
  enqueueUnique: '9b9316866695d57100262c1829131bdf793a80d8',
  enqueue: '1626ae42dd9b8e16a4a976fef618f790c37a9925',
  finish: '4b3fe6f32bbcf270c893f2a6345746ebae1d2696',
  flowCancel: '2e8342057052e5a4f61f1fa78b9af317d060e767',
  flowEnd: '079c70021d4ddbb081e12d65cfd821739fcbfc7b',
  flowNote: '5566a38b02c23b36cadaf83b0c46ef367231870e',
  flowPlace: 'ac926502c51e599486a4f906c7a1e18940d8cbb5',
  flowReopen: 'dab09344ab943f7c30bc573b0fabffeed428e878',
  flowStart: '96da501d4e2f452d5e938093efacc12db1645936',
  flowTake: '31a69a625a5295c667bbcc77b969b08e87e448c8',
  free: '52d36fabefd907681b39a90a2fdbc4347db36434',
  handOff: '59ba255a6aeabc45a0a91ba5a0a7e3132c569c93',
  limitAdmit: '5f7a0a9054d73360f5807d3d95c0dbdabbe1110d',
  limitFill: '352996901b18090065cfc70e2238ed1ea1005416',
  log: 'cae731e9b900481019c6e5fde3207be94c1845fe',
  move: '3eeb36f8d43c905220c36c769ca9bf71441f8853',
  page: 'dcdc8abdfa98bee328b3dce4480eba9fc458834f',
  putBack: '290ddd808206bc523c79f3008ff789b73149059f',
  recordSeries: '04c29a12335bb2e15674da3a9470b6a985cccf15',
  record: '7cdd362256a790d052be60adba858b0c181f9d3a',
  remove: 'c4036ca2122ea90c6a12974f91669c282d3561d1',
  renew: '55537af92cbab06c8022e380b32a0cb8c5a5dc32',
  replay: '98abd9ed5527e4f8ae2cef1d66faec276ef9cc7d',
  reschedule: '9c6cd4410b5eae659ca1e9276c3e49ab1dcdc31f',
  rescore: 'e744935017cd7b1d31e0d1217d8090c719f360a6',
  reserve: '7ea735bf487d3b3a9ce69cc4784ab7dc7455d891',
  scheduleTake: '64b0701467d12408853f58c331b7f0cde0535150',
  scheduleWrite: 'f3b6334a94ee1d4b1f7002bbd0a792feb0358b7d',
  setTry: '66c92b5c85098ed4d932cf98eadc03287c881ed8',
  sift: '6c3e6cf5a3979a3a939e8cdb4f2d1b909e24800e',
  takeOut: '8e11f2596fbe5dadab227b397149002e4e3ced2b',
  tick: '0948c770302c6bb5455ecd7f70161a15c228184c',
  types: 'a81aa2758f156bb6316af17fdafca1e7a2b04f84',
  wait: 'c0aa085915793e4bf7fed89b3d313602427e0b5b',
} as const
