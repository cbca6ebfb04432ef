-- Takes jobs that do not run and are asked to abort, due or not, so that a worker ends them whatever its slots do.
-- Each is taken as claim.lua takes it. One that runs meanwhile, or that is gone, is left as it was, and so is one with
-- a faulty key: claim.lua reports it.
-- The new score has the mark of a lease and the deaths, as claim.lua writes them.
-- Repeating a call whose reply was lost gives the same jobs without counting another try.
--
-- KEYS[1] -> queue, KEYS[2] -> arq:abort
-- then for each job: arq:in-progress:<id>, arq:job:<id>, arq:retry:<id>
-- ARGV[1] -> token, ARGV[2] -> lease in ms, ARGV[3] -> TTL of the try counter in s, ARGV[4] -> where the id begins in
--   arq:in-progress:<id>, from 1
-- Output: for each job taken its number, from 1, its score before, its try, when its abort was asked for, its payload,
--   its deaths
local time = redis.call('TIME')
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
return out
