-- Says of jobs whether they could be claimed, without claiming any: for stretches of a queue where hardly one can.
-- Nothing is written. Payloads are read where the caller must know the function, up to a bound of bytes; jobs past the
-- bound are not looked at.
--
-- For each job: KEYS[3i+1] -> arq:in-progress:<id>, KEYS[3i+2] -> arq:job:<id>, KEYS[3i+3] -> arq:retry:<id>
-- ARGV[1] -> bytes of payloads to read at most, 0 for none
-- Output: for each job 0 (can be claimed), 1 (held by a worker), 2 (its payload is gone) or 3 (faulty), or, where payloads
--   are read, the payload of a job that can be claimed; it ends early at the bound. Then, where there are faults, a list
--   of them: number of the job, of the key, reason
local bytes = tonumber(ARGV[1])
local reads = bytes > 0
local out, faults = {}, {}

local function faulty(key, reply)
  local n = #faults
  faults[n + 1], faults[n + 2], faults[n + 3] = #out + 1, key, reply.err
  return 3
end

-- The values of one key of each job, from 1; MGET gives nothing for a wrong type too, which few jobs have.
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
return out
